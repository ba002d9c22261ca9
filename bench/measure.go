package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/bench/internal/send"
	"github.com/spanlake/spanlake/internal/child"
)

// result is one run of one process.
type result struct {
	subject, workload string
	usage             child.Usage
	sent              send.Result
	stored            int   // spans
	disk              int64 // bytes of everything below the data directory
}

// cpuPerMillion is CPU seconds per million spans received.
func (r *result) cpuPerMillion() float64 { return r.usage.CPU.Seconds() / float64(r.sent.Spans) * 1e6 }

func (r *result) peakMiB() float64 { return float64(r.usage.Peak) / (1 << 20) }

// diskPerSpan is bytes on disk per span stored.
func (r *result) diskPerSpan() float64 { return float64(r.disk) / float64(max(1, r.stored)) }

// rate is spans taken a second.
func (r *result) rate() float64 { return float64(r.sent.Spans) / r.sent.Elapsed.Seconds() }

func (r result) String() string {
	return fmt.Sprintf("%.2f CPU s per million spans, %.0f MiB peak, %d spans stored in %.1f MB, %.0f spans/s, %d retries",
		r.cpuPerMillion(), r.peakMiB(), r.stored, float64(r.disk)/1e6, r.rate(), r.sent.Retries)
}

// measure runs one process through the input and checks what it stored.
func measure(ctx context.Context, o *options, s *subject, w workload, in *input, parent string) (result, error) {
	r := result{subject: s.name, workload: w.name}
	dir, err := os.MkdirTemp(parent, s.name+"-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	config, err := configs.ReadFile("config/" + s.name + "-" + w.name + ".yaml")
	if err != nil {
		return r, err
	}
	run := process.Options{Binary: s.binary, Config: config, Token: s.token, Dir: dir}
	p, err := process.Start(ctx, run)
	if err != nil {
		return r, err
	}
	sendErr := feed(ctx, o, s, p, in, &r)
	if err := errors.Join(sendErr, p.Stop()); err != nil {
		return r, err
	}
	r.usage = p.Usage()

	if r.stored, err = s.stored(run.Data()); err != nil {
		return r, err
	}
	if want, tolerance := w.expected(in.stats); math.Abs(float64(r.stored)-want) > tolerance {
		return r, fmt.Errorf("%d spans stored, expected %.0f with at most %.0f more or less", r.stored, want, tolerance)
	}
	r.disk, err = size(run.Data())
	return r, err
}

// feed sends the input and waits until the process is done with it.
func feed(ctx context.Context, o *options, s *subject, p *process.Process, in *input, r *result) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.Done:
			cancel(errors.New("ended while it was sent to"))
		case <-ctx.Done():
		}
	}()
	f, err := os.Open(in.file)
	if err != nil {
		return err
	}
	defer f.Close()
	endpoint := p.HTTP
	if o.grpc {
		endpoint = p.GRPC
	}
	r.sent, err = send.Run(ctx, send.Options{
		Endpoint: endpoint, GRPC: o.grpc, Token: s.token, Connections: o.connections, Rate: o.rate,
	}, load.NewReader(f).Next)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	select {
	case <-time.After(o.drain):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// size sums the files below dir.
func size(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
