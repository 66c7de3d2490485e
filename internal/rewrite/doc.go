// Package rewrite holds the passes over graphs: Prepare makes the private copy of a model that everything else works on,
// Training turns inference forms into training forms, Optimise makes a graph smaller and faster, Widen makes its float64
// twin. Fusion and layout come after autodiff.
package rewrite
