package tokenotlpreceiver

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// manualClock is a clock that a test moves.
type manualClock struct{ since atomic.Int64 }

func (c *manualClock) now() time.Time          { return testTime.Add(time.Duration(c.since.Load())) }
func (c *manualClock) advance(d time.Duration) { c.since.Add(int64(d)) }

func TestBucket(t *testing.T) {
	b := newBucket(100, testTime)
	require.Zero(t, b.wait(testTime), "full at first")
	b.charge(testTime, 100)
	require.Zero(t, b.wait(testTime), "the burst is a second's worth")
	b.charge(testTime, 1)
	require.Equal(t, 10*time.Millisecond, b.wait(testTime))
	b.charge(testTime, 999)
	require.Equal(t, 10*time.Second, b.wait(testTime), "one larger than the burst goes into debt")
	require.Equal(t, time.Nanosecond, b.wait(testTime.Add(10*time.Second-1)))
	require.Zero(t, b.wait(testTime.Add(10*time.Second)))

	later := testTime.Add(time.Hour)
	b.charge(later, 101)
	require.Equal(t, 10*time.Millisecond, b.wait(later), "a long pause saves no more than the burst")
	b.charge(later, 0)
	b.charge(later, -5)
	require.Equal(t, 10*time.Millisecond, b.wait(later))
}

func TestBucketOfExtremeRates(t *testing.T) {
	slow := newBucket(1, testTime)
	for range 100 {
		slow.charge(testTime, 1<<30)
		require.Positive(t, slow.wait(testTime), "debts do not wrap around")
	}
	fast := newBucket(math.MaxInt64, testTime)
	fast.charge(testTime, 1<<30)
	require.Zero(t, fast.wait(testTime))
	// 5e9 bytes a second, one at a time: none is free.
	many := newBucket(5e9, testTime)
	for range 1_000_001 {
		many.charge(testTime, 1)
	}
	require.Equal(t, int64(1_000_001), many.full.Load())
}

// Whatever is sent whenever: no more passes than rate × time, the burst and one
// request, and who waits as long as told is let in.
func TestBucketAdmitsItsRateAndNoMore(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		rate := 1 + random.Int64N(1<<uint(1+random.IntN(30)))
		largest := 1 + random.Int64N(4*rate)
		clock := new(manualClock)
		b := newBucket(rate, clock.now())
		admitted := int64(0)
		for range 2000 {
			switch wait := b.wait(clock.now()); {
			case wait == 0:
				n := random.Int64N(largest + 1)
				b.charge(clock.now(), n)
				admitted += n
			case random.IntN(4) == 0:
				clock.advance(wait)
				require.Zero(t, b.wait(clock.now()), "seed %d: refused after it waited", seed)
			default:
				clock.advance(time.Duration(random.Int64N(int64(wait))))
				require.Positive(t, b.wait(clock.now()), "seed %d: let in before it waited", seed)
			}
			clock.advance(time.Duration(random.Int64N(int64(50 * time.Millisecond))))
			elapsed := time.Duration(clock.since.Load()).Seconds()
			require.LessOrEqual(t, float64(admitted), (elapsed+burst.Seconds())*float64(rate)+float64(largest), "seed %d", seed)
		}
		// Nor much less: it is in debt whenever it is not full.
		require.Positive(t, admitted)
	}
}

func TestSourceThatAlwaysWaitsGetsItsRate(t *testing.T) {
	clock := new(manualClock)
	b := newBucket(1000, clock.now())
	sent := 0
	for clock.since.Load() < int64(time.Minute) {
		if wait := b.wait(clock.now()); wait > 0 {
			clock.advance(wait)
			continue
		}
		b.charge(clock.now(), 7000)
		sent += 7000
	}
	require.InDelta(t, 61_000, sent, 7000)
}

func TestBucketUnderConcurrency(t *testing.T) {
	b := newBucket(1000, testTime)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b.charge(testTime, 3)
				b.wait(testTime)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 23*time.Second, b.wait(testTime), "no charge is lost")
}

func TestRateLimitIsOfTheSourceOverAllItsTokensAndSignals(t *testing.T) {
	clock := new(manualClock)
	h := start(t, options{now: clock.now, config: func(cfg *Config) { cfg.Sources[0].RateLimit = 10 }})
	body := protoOf(t, requestOf(traces))
	require.Greater(t, len(body), 20)
	require.Equal(t, 200, h.post("/v1/traces", protoType, body).status, "larger than the burst, and taken")
	wait := time.Duration(len(body)-10) * 100 * time.Millisecond
	seconds := int64(math.Ceil(wait.Seconds()))

	got := h.http(call{path: "/v1/logs", headers: map[string]string{"Authorization": "Bearer " + shopNewToken, "Content-Type": jsonType}, body: []byte("{}")})
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, strconv.FormatInt(seconds, 10), got.headers.Get("Retry-After"))
	require.JSONEq(t, `{"code":8,"message":"over the rate limit of this source, 10 bytes a second"}`, got.body)
	require.Equal(t, http.StatusTooManyRequests, h.post("/", "", []byte("{}")).status)
	require.Equal(t, http.StatusNotFound, h.post("/nowhere", "", nil).status, "other faults are told first")
	_, err := h.send(h.withToken(shopNewToken), exportMethod(metrics), protoOf(t, requestOf(metrics)))
	st := status.Convert(err)
	require.Equal(t, codes.ResourceExhausted, st.Code())
	require.Equal(t, wait, st.Details()[0].(*errdetails.RetryInfo).GetRetryDelay().AsDuration())

	_, err = h.send(h.withToken(otherToken), exportMethod(traces), body)
	require.NoError(t, err, "others are not held up")

	clock.advance(wait)
	_, err = h.send(h.withToken(shopToken), exportMethod(traces), body)
	require.NoError(t, err)
	clock.advance(time.Millisecond)
	require.Equal(t, http.StatusTooManyRequests, h.post("/v1/traces", protoType, body).status, "gRPC pays into the same bucket")
}

func TestRateLimitRefusesBeforeTheBodyIsRead(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) { cfg.Sources[0].RateLimit = 1 }})
	require.Equal(t, 202, h.post("/", "", []byte(`{"a":1}`)).status)
	// Read, this would be 400 for its compression.
	got := h.http(call{path: "/", headers: bearer("Content-Encoding", "gzip"), body: []byte("not gzip")})
	require.Equal(t, http.StatusTooManyRequests, got.status)
}

func TestDecompressedSizeIsCharged(t *testing.T) {
	clock := new(manualClock)
	h := start(t, options{now: clock.now, config: func(cfg *Config) { cfg.Sources[0].RateLimit = 1000 }})
	plain := make([]byte, 50_000)
	for i := range plain {
		plain[i] = ' '
	}
	copy(plain, `{"a":1}`)
	require.Equal(t, 202, h.http(call{path: "/", headers: bearer("Content-Encoding", "gzip"), body: compress(t, "gzip", plain)}).status)
	require.Equal(t, "49", h.post("/", "", []byte("{}")).headers.Get("Retry-After"))
}

func TestBodiesThatCannotBeReadAreChargedToo(t *testing.T) {
	for name, test := range map[string]struct {
		coding string
		body   []byte
		want   string // Retry-After
	}{
		"corrupt":   {"gzip", []byte("this is not gzip, by any means"), "2"}, // 30 bytes
		"bomb":      {"gzip", compress(t, "gzip", make([]byte, 1<<20+1)), "104857"},
		"unlimited": {"lz4", compress(t, "lz4", make([]byte, 1<<20+1)), "104857"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, options{config: func(cfg *Config) {
				cfg.Sources[0].RateLimit = 10
				cfg.MaxRequestSizeMiB, cfg.MaxUncompressedSizeMiB = 1, 1
			}})
			require.GreaterOrEqual(t, h.http(call{path: "/", headers: bearer("Content-Encoding", test.coding), body: test.body, chunked: true}).status, 400)
			require.Equal(t, test.want, h.post("/", "", []byte("{}")).headers.Get("Retry-After"))
		})
	}
}

func TestGRPCMessagesThatCannotBeReadAreChargedToo(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) {
		cfg.Sources[0].RateLimit = 10
		cfg.MaxRequestSizeMiB, cfg.MaxUncompressedSizeMiB = 1, 1
	}})
	_, err := h.send(h.withToken(shopToken), exportMethod(traces), make([]byte, 1<<20+1), grpc.UseCompressor("gzip"))
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.Empty(t, status.Convert(err).Details(), "not to be sent again")
	got := h.post("/", "", []byte("{}"))
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, "104857", got.headers.Get("Retry-After"))
}
