package arm

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"

	"github.com/ceruleannet/cerulean/model"
)

// Lengths of a connection's shared key, in characters ("Virtual Network Gateway
// Connections - Reset Shared Key").
const minSharedKey, maxSharedKey = 1, 128

// sharedKeyVerbs read and write the key of a connection.
func sharedKeyVerbs() []verb {
	return []verb{
		{name: "sharedkey", get: true, answer: func(q *question) (any, *Fault) {
			return map[string]any{"value": text(q.on.Properties(), "sharedKey")}, nil
		}},
		{name: "sharedkey", put: true, act: (*call).setSharedKey},
		{name: "sharedkey/reset", act: (*call).resetSharedKey},
	}
}

func (c *call) setSharedKey(on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	key := text(body, "value")
	if n := len(key); n < minSharedKey || n > maxSharedKey {
		return invalidProperty(on.ID, "value", nil, "a shared key has 1 to 128 characters")
	}
	f = c.amend(on.ID, func(ch *change) *Fault {
		ch.props()["sharedKey"] = key
		return nil
	})
	if f != nil {
		return f
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": key})
	return nil
}

func (c *call) resetSharedKey(on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	n, ok := whole(body["keyLength"])
	if !ok || n < minSharedKey || n > maxSharedKey {
		return invalidProperty(on.ID, "keyLength", body["keyLength"], "it must be a number from 1 to 128")
	}
	raw := make([]byte, maxSharedKey)
	rand.Read(raw) // never fails (crypto/rand)
	key := base64.RawURLEncoding.EncodeToString(raw)[:n]
	f = c.amend(on.ID, func(ch *change) *Fault {
		ch.props()["sharedKey"] = key
		return nil
	})
	if f != nil {
		return f
	}
	return c.promise(map[string]any{"keyLength": n}, on)
}
