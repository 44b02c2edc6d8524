package arm

import "github.com/golang-jwt/jwt/v5"

// Sign signs any claims with the installation's key, for tests of what the
// server makes of them.
func (id *Identity) Sign(c jwt.Claims) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodES256, c).SignedString(id.tokenKey)
}
