package tokenotlpreceiver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// pollInterval is how often token files are read. Their directories are not
// watched: notifications miss network file systems and mounts that are swapped.
const pollInterval = 5 * time.Second

// maxChanges is how many polls in a row may find a file changed before that is a
// fault: it is never taken as long as it goes on.
const maxChanges = 3

var errUnstable = errors.New("changes all the time: two reads in a row must find the same")

// tokenFiles keeps a tokenTable in step with the files of the sources. It belongs
// to the goroutine that calls load, and after that to the one that calls poll.
type tokenFiles struct {
	configs   []Source
	sources   []*source
	exposed   string // see Config.exposedEndpoint
	table     *tokenTable
	files     []*tokenFile
	telemetry telemetry
	logger    *zap.Logger
	// report tells the Collector how the files are.
	report func(*componentstatus.Event)

	reported string // the faults that were reported last
}

// tokenFile is the file of one source.
type tokenFile struct {
	index   int // of the source
	path    string
	tokens  []fileToken // in force
	digest  hash        // of the file that has them
	last    reading
	pending []fileToken // are to replace tokens, nil if nothing is
	fault   string      // why what it holds is not in force, empty if it is
	changes int         // how many polls in a row found another content than the one before
}

// reading is what came of reading a file: two that are equal saw the same.
type reading struct {
	digest hash
	fault  string
}

// newTokenFiles takes sources that are those of cfg.
func newTokenFiles(cfg *Config, sources []*source, table *tokenTable, tel telemetry, logger *zap.Logger, report func(*componentstatus.Event)) *tokenFiles {
	t := &tokenFiles{
		configs: cfg.Sources, sources: sources, exposed: cfg.exposedEndpoint(),
		table: table, telemetry: tel, logger: logger, report: report,
	}
	for i, c := range cfg.Sources {
		if c.TokenFile != "" {
			t.files = append(t.files, &tokenFile{index: i, path: c.TokenFile})
		}
	}
	return t
}

// load puts in force what the files hold, if that can be done with all of them.
func (t *tokenFiles) load() error {
	var errs []error
	for _, f := range t.files {
		if err := f.examine(t.exposed); err != nil {
			errs = append(errs, f.explain(err))
		}
	}
	set := t.merge(func(f *tokenFile, err error) { errs = append(errs, f.explain(err)) })
	if len(errs) == 0 {
		t.replace(set, func(*tokenFile) {})
	}
	return errors.Join(errs...)
}

// run polls at each tick until ctx is done.
func (t *tokenFiles) run(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			t.poll(ctx)
		}
	}
}

// poll reads every file. What cannot be taken leaves the former tokens of its
// file in force.
func (t *tokenFiles) poll(ctx context.Context) {
	refuse := func(f *tokenFile, err error) { t.refuse(ctx, f, err) }
	changed := false
	for _, f := range t.files {
		before := f.last
		err := f.examine(t.exposed)
		switch {
		case f.last != before:
			// It may be half written. Nothing is made of it before the next poll
			// reads the same.
			f.pending = nil
			if f.changes++; f.changes >= maxChanges {
				refuse(f, errUnstable)
			}
			continue
		case err != nil:
			refuse(f, err)
		case f.pending != nil:
			changed = true
		case f.fault != "":
			f.fault = ""
			t.logger.Info("Token file is again as it was", t.fields(f)...)
		}
		f.changes = 0
	}
	if changed {
		t.replace(t.merge(refuse), func(f *tokenFile) {
			t.telemetry.reloaded(ctx, t.sources[f.index], true)
			t.logger.Info("Token file has changed and is in force", append(t.fields(f), zap.Int("tokens", len(f.tokens)))...)
		})
	}
	t.reportFaults(ctx)
}

// examine reads the file: afterwards, pending is what it holds unless that is in
// force.
func (f *tokenFile) examine(exposed string) error {
	f.pending = nil
	data, err := readTokenFile(f.path)
	if err != nil {
		f.last = reading{fault: err.Error()}
		return err
	}
	f.last = reading{digest: sha256.Sum256(data)}
	if f.last.digest == f.digest {
		return nil
	}
	tokens, err := parseTokens(data, exposed)
	if err != nil {
		return err
	}
	f.pending = tokens
	return nil
}

// merge returns all tokens, with those that are pending in the place of those
// that they replace. A file with a token that is another's is no longer pending
// then. Files may exchange tokens, if both are pending; a token that stays where
// it is cannot be taken away.
func (t *tokenFiles) merge(refuse func(*tokenFile, error)) tokenSet {
	for {
		set := configured(t.configs, t.sources)
		for _, f := range t.files {
			if f.pending == nil {
				t.add(set, f, f.tokens)
			} else {
				t.add(set, f, f.kept())
			}
		}
		whole := true
		for _, f := range t.files {
			if f.pending == nil {
				continue
			}
			if err := f.clash(set); err != nil {
				f.pending, whole = nil, false
				refuse(f, err)
				continue
			}
			t.add(set, f, f.pending)
		}
		if whole {
			return set
		}
		// What was refused leaves its former tokens, which may clash in turn.
	}
}

func (t *tokenFiles) add(set tokenSet, f *tokenFile, tokens []fileToken) {
	for _, token := range tokens {
		set.add(token.hash, t.sources[f.index], place{source: f.index, item: token.line, file: true})
	}
}

// kept returns those that are pending and in force already.
func (f *tokenFile) kept() []fileToken {
	before := make(map[hash]struct{}, len(f.tokens))
	for _, token := range f.tokens {
		before[token.hash] = struct{}{}
	}
	var kept []fileToken
	for _, token := range f.pending {
		if _, ok := before[token.hash]; ok {
			kept = append(kept, token)
		}
	}
	return kept
}

// clash finds a pending token that another source has, or the configuration.
func (f *tokenFile) clash(set tokenSet) error {
	for _, token := range f.pending {
		if other, taken := set[token.hash]; taken && (!other.place.file || other.place.source != f.index) {
			return fmt.Errorf("line %d: is the same token as %s: a token must be listed once", token.line, other.place)
		}
	}
	return nil
}

// replace puts set in force, and tells of each file that it changes.
func (t *tokenFiles) replace(set tokenSet, tell func(*tokenFile)) {
	t.table.replace(set)
	for _, f := range t.files {
		if f.pending != nil {
			f.tokens, f.digest, f.pending, f.fault = f.pending, f.last.digest, nil, ""
			tell(f)
		}
	}
}

// refuse counts a fault, and logs it unless it is the one that was there before.
func (t *tokenFiles) refuse(ctx context.Context, f *tokenFile, err error) {
	t.telemetry.reloaded(ctx, t.sources[f.index], false)
	if fault := err.Error(); fault != f.fault {
		f.fault = fault
		t.logger.Warn("Token file cannot be taken: its former tokens stay in force", append(t.fields(f), zap.Error(err))...)
	}
}

func (t *tokenFiles) fields(f *tokenFile) []zap.Field {
	return []zap.Field{zap.String("source", t.sources[f.index].name), zap.String("path", f.path)}
}

// reportFaults tells the Collector if they are not those of the poll before.
func (t *tokenFiles) reportFaults(ctx context.Context) {
	var faults []error
	for _, f := range t.files {
		if f.fault != "" && len(faults) < maxFaults {
			faults = append(faults, f.explain(errors.New(f.fault)))
		}
	}
	err, text := errors.Join(faults...), ""
	if err != nil {
		text = err.Error()
	}
	if text == t.reported || ctx.Err() != nil {
		return
	}
	t.reported = text
	if err != nil {
		t.report(componentstatus.NewRecoverableErrorEvent(err))
		return
	}
	t.report(componentstatus.NewEvent(componentstatus.StatusOK))
}

// explain names the file, before a fault in it.
func (f *tokenFile) explain(err error) error {
	return fmt.Errorf("sources[%d].token_file: %q: %w", f.index, f.path, err)
}
