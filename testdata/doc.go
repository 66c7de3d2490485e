// Package testdata has no code: its module holds the models, reference values
// and the official suite that the tests of Gneiss read, apart from the library
// so that its users do not download them.
package testdata
