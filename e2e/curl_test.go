package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/npmtest"
)

// curl is the client of shell scripts: what it sends by default must do.
func TestCurl(t *testing.T) {
	npmtest.RequireProgram(t, "curl", "curl")
	c := startCollector(t, t.TempDir())
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return "@" + path
	}
	protobuf := file("spans.bin", sampleSpans())
	zipped := file("spans.json.gz", compress(t, "gzip", []byte(strings.ReplaceAll(sampleSpansJSON(), sampleTraceID, "1112131415161718191a1b1c1d1e1f20"))))
	lines := file("events.ndjson", []byte("{\"message\":\"one\"}\n{\"message\":\"two\"}\nnot JSON\n"))
	const (
		ok           = "Content-Type: application/json\n"
		unauthorized = "Www-Authenticate: Bearer\n"
		json         = "Content-Type: application/json"
		binary       = "Content-Type: application/x-protobuf"
		bearer       = "Authorization: Bearer " + token
		wrong        = "Authorization: Bearer " + token + "x"
	)
	for name, tc := range map[string]struct {
		path   string
		args   []string
		status string
		header string
		body   string
	}{
		"spans in JSON":         {"/v1/traces", []string{"-H", bearer, "-H", json, "-d", sampleSpansJSON()}, "200 OK", ok, "{}"},
		"spans in protobuf":     {"/v1/traces", []string{"-H", bearer, "-H", binary, "--data-binary", protobuf}, "200 OK", binary + "\n", ""},
		"spans gzipped":         {"/v1/traces", []string{"-H", bearer, "-H", json, "-H", "Content-Encoding: gzip", "--data-binary", zipped}, "200 OK", ok, "{}"},
		"spans in chunks":       {"/v1/traces", []string{"-H", bearer, "-H", json, "-H", "Transfer-Encoding: chunked", "-d", sampleSpansJSON()}, "200 OK", ok, "{}"},
		"spans, asked first":    {"/v1/traces", []string{"-H", bearer, "-H", json, "-H", "Expect: 100-continue", "-d", sampleSpansJSON()}, "200 OK", ok, "{}"},
		"charset":               {"/v1/logs", []string{"-H", bearer, "-H", json + "; charset=utf-8", "-d", logJSONOf("curl")}, "200 OK", ok, "{}"},
		"event":                 {"/", []string{"-H", bearer, "-d", `{"message":"curl"}`}, "202 Accepted", ok, "{}"},
		"events":                {"/", []string{"-H", bearer, "--data-binary", lines}, "202 Accepted", ok, `{"accepted":2,"rejected":1,"errors":[{"line":3,`},
		"-d of a file":          {"/", []string{"-H", bearer, "-d", lines}, "202 Accepted", ok, `{"accepted":2,"rejected":1,"errors":[{"line":1,`},
		"lower-case scheme":     {"/", []string{"-H", "authorization: bearer " + token, "-d", `{"message":"curl"}`}, "202 Accepted", ok, "{}"},
		"--oauth2-bearer":       {"/", []string{"--oauth2-bearer", token, "-d", `{"message":"curl"}`}, "202 Accepted", ok, "{}"},
		"form":                  {"/v1/traces", []string{"-H", bearer, "-d", sampleSpansJSON()}, "415 Unsupported Media Type", ok, `{"code":3,"message":`},
		"GET":                   {"/v1/traces", []string{"-H", bearer}, "405 Method Not Allowed", "Allow: POST\n", `{"code":12,"message":`},
		"no such path":          {"/v1/spans", []string{"-H", bearer, "-d", "{}"}, "404 Not Found", ok, `{"code":12,"message":`},
		"not JSON":              {"/v1/traces", []string{"-H", bearer, "-H", json, "-d", "{"}, "400 Bad Request", ok, `{"code":3,"message":`},
		"no token":              {"/v1/traces", []string{"-H", json, "-d", sampleSpansJSON()}, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"wrong token":           {"/v1/traces", []string{"-H", wrong, "-H", json, "-d", sampleSpansJSON()}, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"user and password":     {"/v1/traces", []string{"-u", "local:" + token, "-d", "{}"}, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"event without token":   {"/", []string{"-d", "{}"}, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"GET without token":     {"/", nil, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"no path, no token":     {"/v1/spans", nil, "401 Unauthorized", unauthorized, `{"message":"Unauthorized"}`},
		"protobuf, no token":    {"/v1/traces", []string{"-H", binary, "--data-binary", protobuf}, "401 Unauthorized", unauthorized, "\x08\x10\x12\x0cUnauthorized"},
		"HTTP/1.0":              {"/", []string{"-0", "-H", bearer, "-d", `{"message":"curl"}`}, "202 Accepted", ok, "{}"},
		"ten megabytes and one": {"/", []string{"-H", bearer, "--data-binary", file("large", make([]byte, 10<<20+1))}, "413 Request Entity Too Large", ok, `{"code":8,"message":`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--silent", "--show-error", "--include", "--max-time", "20"}, tc.args...)
			out, err := exec.CommandContext(t.Context(), "curl", append(args, "http://"+c.ports.http+tc.path)...).Output()
			require.NoError(t, err, "%s", out)
			answer := strings.TrimPrefix(strings.ReplaceAll(string(out), "\r\n", "\n"), "HTTP/1.1 100 Continue\n\n")
			head, body, _ := strings.Cut(answer, "\n\n")
			head += "\n"
			require.Regexp(t, `^HTTP/1\.[01] `+tc.status+"\n", head)
			require.Contains(t, head, "\n"+tc.header)
			if strings.HasSuffix(tc.body, ":") || strings.HasSuffix(tc.body, ",") {
				require.True(t, strings.HasPrefix(body, tc.body), body)
			} else {
				require.Equal(t, tc.body, body)
			}
		})
	}
	waitRows(t, c.lake(), 3, "select distinct trace_id from spans")
}
