package tokenotlpreceiver

import (
	"slices"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
)

// clientHeaders are what clients send in every request, which a browser asks
// about beforehand, and what it would be granted if nothing was configured.
var clientHeaders = []string{"Accept", "Authorization", "Content-Encoding", "Content-Type", "X-Requested-With"}

// exposedHeaders are what a script needs of an answer beside status and body.
var exposedHeaders = []string{"Retry-After"}

// withHeadersOfClients allows them beside those that were configured: where CORS
// is on, a request without its token could only be refused.
func withHeadersOfClients(cors configoptional.Optional[confighttp.CORSConfig]) configoptional.Optional[confighttp.CORSConfig] {
	if !cors.HasValue() {
		return cors
	}
	c := *cors.Get()
	c.AllowedHeaders = slices.Concat(c.AllowedHeaders, clientHeaders)
	c.ExposedHeaders = slices.Concat(c.ExposedHeaders, exposedHeaders)
	return configoptional.Some(c)
}
