package compose_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

func ExampleInline() {
	m, err := onnx.ParseText(`<ir_version: 10, opset_import: ["" : 21, "local" : 1]>
g (float[N] x) => (float[N] y)
{
   y = local.Twice (x)
}
<opset_import: ["" : 21], domain: "local">
Twice (p) => (q)
{
   q = Add (p, p)
}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err = compose.Inline(m, compose.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range m.Graph.Nodes {
		fmt.Println(n.OpType, n.In(0).Name, n.Out(0).Name)
	}
	// Output: Add x y
}
