package rewrite

import "github.com/gneiss-ml/gneiss/onnx"

// exchange lets the gradient of a Relu that only MaxPool reads pass through the smaller side of the pooling:
//
//	ReluGrad(MaxPoolGrad(d, at), y) = MaxPoolGrad(ReluGrad(d, pooled), at)
//
// The bits are the same, since MaxPoolGrad hands d to elements of y that are what was pooled, and zero to all others. y need not
// be kept until then.
func (p *optimiser) exchange() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		for _, n := range g.Nodes {
			if isPrivate(n, "ReluGrad") {
				p.exchangeRelu(n)
			}
		}
		return nil
	})
}

func isPrivate(n *onnx.Node, opType string) bool {
	return n != nil && n.Domain == onnx.Private && n.OpType == opType
}

func (p *optimiser) exchangeRelu(relu *onnx.Node) {
	v, y := relu.In(0), relu.In(1)
	if !p.onlyReader(v, relu) || !isPrivate(v.Node(), "MaxPoolGrad") {
		return
	}
	pool := v.Node()
	d, at := pool.In(0), pool.In(1)
	forward := at.Node()
	if !is(forward, "MaxPool") || forward.In(0) != y || forward.Out(1) != at || forward.Out(0) == nil {
		return
	}
	dx := relu.Out(0)
	dx.Name, v.Name = v.Name, dx.Name
	replace(dx, v, p.outputs)
	relu.SetIn(0, d)
	relu.SetIn(1, forward.Out(0))
	dx.Type = d.Type.Clone()
	pool.SetIn(0, dx)
}
