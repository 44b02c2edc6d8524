package paas

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// PasswordHashProperty is where a SQL server's document keeps the hash of its
// administrator's password. No answer shows it.
const PasswordHashProperty = "administratorLoginPasswordHash"

// Passwords are hashed as SQL Server 2025 hashes those of its logins: PBKDF2
// with SHA-512 and this many rounds ("CREATE LOGIN", RFC 8018 section 5.2).
const (
	passwordRounds = 100_000
	passwordSalt   = 16 // bytes
	passwordScheme = "pbkdf2-sha512"
)

// HashPassword returns a salted hash of a password: scheme, rounds, salt and
// key, with "$" between them.
func HashPassword(password string) string {
	salt := make([]byte, passwordSalt)
	rand.Read(salt) // never fails (crypto/rand)
	return hashWith(password, salt, passwordRounds)
}

// PasswordMatches reports whether a hash is of a password. A hash that is none
// matches nothing.
func PasswordMatches(hash, password string) bool {
	part := strings.Split(hash, "$")
	if len(part) != 4 || part[0] != passwordScheme {
		return false
	}
	// The bound keeps a damaged hash from costing more than a login may.
	rounds, err := strconv.Atoi(part[1])
	if err != nil || rounds < 1 || rounds > 10*passwordRounds {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(part[2])
	if err != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(hashWith(password, salt, rounds)), []byte(hash)) == 1
}

func hashWith(password string, salt []byte, rounds int) string {
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, sha512.Size)
	if err != nil {
		return "" // only where FIPS 140 forbids the salt; matches nothing
	}
	return strings.Join([]string{
		passwordScheme, strconv.Itoa(rounds),
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key),
	}, "$")
}
