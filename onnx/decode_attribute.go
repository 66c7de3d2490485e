package onnx

import (
	"math/bits"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// attrFields gives the field of an AttributeProto by kind.
var attrFields = [...]int{
	AttrFloat: 2, AttrInt: 3, AttrString: 4, AttrTensor: 5, AttrGraph: 6, AttrFloats: 7, AttrInts: 8, AttrStrings: 9,
	AttrTensors: 10, AttrGraphs: 11, AttrSparseTensor: 22, AttrSparseTensors: 23, AttrType: 14, AttrTypes: 15,
}

// attribute reads an AttributeProto of a node in the scope sc.
func (d *decoder) attribute(r *wire.Reader, sc *scope) (Attribute, error) {
	a := Attribute{present: fromFile}
	if err := d.charge(2 * sizeOf[Attribute]()); err != nil {
		return a, err
	}
	for r.Next() {
		if err := d.attrField(&a, r, sc); err != nil {
			return a, err
		}
		a.present.see(r)
	}
	if err := finish(r); err != nil {
		return a, err
	}
	return a, a.settle()
}

func (d *decoder) attrField(a *Attribute, r *wire.Reader, sc *scope) error {
	switch r.Num {
	case 1:
		a.Name = d.str(r)
	case 2:
		a.F = r.Float32()
	case 3:
		a.I = r.Int64()
	case 4:
		a.S = d.str(r)
	case 7:
		b := r.Fixed(4)
		if err := d.charge(2 * int64(len(b))); err != nil {
			return err
		}
		for i := 0; i+4 <= len(b); i += 4 {
			a.Floats = append(a.Floats, float32frombytes(b[i:]))
		}
	case 8:
		if err := d.charge(16 * int64(r.CountVarints())); err != nil {
			return err
		}
		r.EachVarint(func(v uint64) { a.Ints = append(a.Ints, int64(v)) })
	case 9:
		a.Strings = append(a.Strings, d.str(r))
	case 13:
		a.Doc = d.str(r)
	case 20:
		n := r.Int32()
		if n < 0 || int(n) >= len(attrFields) {
			return Invalidf("attribute %.128q: kind %d does not exist", a.Name, n)
		}
		a.Kind = AttrKind(n)
	case 21:
		a.Ref = d.str(r)
	default:
		return d.attrMessage(a, r, sc)
	}
	return nil
}

// attrMessage reads the kinds that are messages themselves.
func (d *decoder) attrMessage(a *Attribute, r *wire.Reader, sc *scope) error {
	if err := d.charge(2 * (sizeOf[Type]() + sizeOf[[]byte]())); err != nil {
		return err
	}
	switch r.Num {
	case 5:
		t, err := d.tensor(r.Message())
		a.T = t
		return within("t", -1, err)
	case 6:
		g, err := d.graph(r.Message(), sc.g, sc, nil, nil)
		a.G = g
		return within("g", -1, err)
	case 10:
		t, err := d.tensor(r.Message())
		a.Tensors = append(a.Tensors, t)
		return within("tensors", len(a.Tensors)-1, err)
	case 11:
		g, err := d.graph(r.Message(), sc.g, sc, nil, nil)
		a.Graphs = append(a.Graphs, g)
		return within("graphs", len(a.Graphs)-1, err)
	case 14:
		t, err := d.typ(r.Message())
		a.Type, a.types = &t, append(a.types, r.Bytes())
		return within("tp", -1, err)
	case 15:
		t, err := d.typ(r.Message())
		a.Types, a.types = append(a.Types, t), append(a.types, r.Bytes())
		return within("type_protos", len(a.Types)-1, err)
	case 22:
		s, err := d.sparseTensor(r.Message())
		a.Sparse = s
		return within("sparse_tensor", -1, err)
	case 23:
		s, err := d.sparseTensor(r.Message())
		a.SparseTensors = append(a.SparseTensors, s)
		return within("sparse_tensors", len(a.SparseTensors)-1, err)
	}
	d.keep(&a.unknown, r)
	return nil
}

// settle finds the kind where the file does not say it, and refuses a kind whose value is missing.
func (a *Attribute) settle() error {
	var valued present
	for _, f := range attrFields[1:] {
		valued |= 1 << f
	}
	valued &= a.present
	if a.Kind == AttrUndefined && bits.OnesCount32(uint32(valued)) == 1 {
		for k, f := range attrFields {
			if f > 0 && valued.has(f) {
				a.Kind = AttrKind(k)
			}
		}
	}
	missing := a.Kind == AttrTensor && a.T == nil || a.Kind == AttrGraph && a.G == nil ||
		a.Kind == AttrSparseTensor && a.Sparse == nil || a.Kind == AttrType && a.Type == nil
	if missing && a.Ref == "" {
		return Invalidf("attribute %.128q has no value of its kind %d", a.Name, a.Kind)
	}
	return nil
}
