package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.FusedMatMul: alpha times the matrix product of A and B, either of which may be transposed: the last two axes
// (transA, transB), or the first axis moved behind those that follow it but for the last (transBatchA, transBatchB).
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsFusedMatMul = opdef.Def{
	Type:   "FusedMatMul",
	Domain: msDomain,
	Schema: contrib("FusedMatMul", "A:T B:T", "Y:T", msReals, "alpha:float transA:int transB:int transBatchA:int transBatchB:int"),
	Body:   lowered(fusedMatMul),
}

func fusedMatMul(b lowering) error {
	var factor [2]*onnx.Value
	for i, side := range []string{"A", "B"} {
		v, last, batch := b.in(i), b.Node.Int("trans"+side, 0) != 0, b.Node.Int("transBatch"+side, 0) != 0
		if last || batch {
			r, err := b.rank(v)
			if err != nil {
				return err
			}
			if r >= 2 {
				v = b.transpose(v, fusedPerm(int64(r), last, batch)...)
			}
		}
		factor[i] = v
	}
	y := b.do("MatMul", factor[0], factor[1])
	if alpha := b.Node.Float("alpha", 1); alpha != 1 {
		y = b.do("Mul", y, b.num(y.Type.Elem, alpha))
	}
	return b.finish(y)
}

// fusedPerm is the permutation of the axes of a factor of rank r.
func fusedPerm(r int64, last, batch bool) []int64 {
	var perm []int64
	for i := range r {
		perm = append(perm, i)
	}
	if batch {
		copy(perm, perm[1:r-1])
		perm[r-2] = 0
	}
	if last {
		perm[r-1], perm[r-2] = perm[r-2], perm[r-1]
	}
	return perm
}
