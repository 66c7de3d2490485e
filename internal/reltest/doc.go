// Package reltest measures what the project promises about hostile, damaged and unlucky input. It has tests only, and each
// prints its score as "N passed, N failed":
//
//	go test ./internal/reltest -run TestBombs -v             # small models that ask for much, a process each
//	go test ./internal/reltest -run TestMutants -rel.scale=5 # the official models, damaged in many ways
//	go test ./internal/reltest -run TestNoFalseRefusal       # the limits refuse no model that is right
//	go test ./internal/reltest -run TestDeterminism          # the same bits for any number of threads
//
// An internal error, which is what a recovered panic becomes, is a failure in all of them.
package reltest
