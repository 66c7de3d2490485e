// Package dialect holds one small model for each habit of exporters that readers of the format stumble over, with results
// worked out by hand. It has tests only.
package dialect
