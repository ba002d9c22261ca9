package send

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

type httpExporter struct {
	client *http.Client
	url    string
	token  string
}

func newHTTP(o Options) *httpExporter {
	return &httpExporter{
		client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}},
		url:    "http://" + o.Endpoint + "/v1/traces",
		token:  o.Token,
	}
}

func (e *httpExporter) export(ctx context.Context, request []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(request))
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if e.token != "" {
		req.Header.Set("Authorization", "Bearer "+e.token)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send request: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return decodeAnswer(body)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := defaultRetry
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
			after = time.Duration(s) * time.Second
		}
		return answer{retry: true, after: after, message: resp.Status}, nil
	default:
		return answer{}, fmt.Errorf("request refused: %s: %q", resp.Status, body)
	}
}

func (e *httpExporter) Close() error {
	e.client.CloseIdleConnections()
	return nil
}

// decodeAnswer reads the partial success out of an ExportTraceServiceResponse.
func decodeAnswer(body []byte) (answer, error) {
	r := ptraceotlp.NewExportResponse()
	if err := r.UnmarshalProto(body); err != nil {
		return answer{}, fmt.Errorf("decode answer: %w", err)
	}
	return answer{rejected: r.PartialSuccess().RejectedSpans(), message: r.PartialSuccess().ErrorMessage()}, nil
}
