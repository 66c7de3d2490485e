package onnx

import (
	"github.com/gneiss-ml/gneiss/internal/wire"
)

// valueInfo reads a ValueInfoProto. The value_info that is kept refers to the message.
func (d *decoder) valueInfo(r *wire.Reader) (info declared, t Type, doc string, err error) {
	info.raw = r.All()
	if err := d.charge(sizeOf[declared]()); err != nil {
		return info, t, doc, err
	}
	for r.Next() {
		switch r.Num {
		case 1:
			info.name = d.str(r)
		case 2:
			if t, err = d.typ(r.Message()); err != nil {
				return info, t, doc, within("type", -1, err)
			}
		case 3:
			doc = d.str(r)
		}
	}
	return info, t, doc, finish(r)
}

// typ reads a TypeProto.
func (d *decoder) typ(r *wire.Reader) (Type, error) {
	var t Type
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			t, err = d.tensorType(r.Message(), KindTensor)
		case 4:
			t, err = d.elemType(r.Message(), KindSequence)
		case 5:
			t, err = d.mapType(r.Message())
		case 7:
			t = Type{Kind: KindOpaque}
		case 8:
			t, err = d.tensorType(r.Message(), KindSparseTensor)
		case 9:
			t, err = d.elemType(r.Message(), KindOptional)
		}
		if err != nil {
			return t, err
		}
	}
	return t, finish(r)
}

func (d *decoder) tensorType(r *wire.Reader, kind Kind) (Type, error) {
	t := Type{Kind: kind}
	var err error
	for r.Next() && err == nil {
		switch r.Num {
		case 1:
			t.Elem, err = elem(r.Int32())
		case 2:
			t.Ranked = true
			t.Shape, err = d.shape(r.Message())
		}
	}
	if err != nil {
		return t, err
	}
	return t, finish(r)
}

// elem checks the number of an element type; 0 means unknown.
func elem(n int32) (ElemType, error) {
	if e := ElemType(n); e == Undefined || e.Valid() {
		return e, nil
	}
	return Undefined, Invalidf("element type %d does not exist", n)
}

func (d *decoder) shape(r *wire.Reader) ([]Dim, error) {
	shape := []Dim{}
	for r.Next() {
		if r.Num != 1 {
			continue
		}
		dim, err := d.dim(r.Message())
		if err == nil {
			err = d.charge(2 * sizeOf[Dim]())
		}
		if err != nil {
			return nil, within("dim", len(shape), err)
		}
		shape = append(shape, dim)
	}
	return shape, finish(r)
}

func (d *decoder) dim(r *wire.Reader) (Dim, error) {
	dim := Unknown
	for r.Next() {
		switch r.Num {
		case 1:
			dim = Dim{N: r.Int64()}
		case 2:
			dim = Named(d.str(r))
		}
	}
	return dim, finish(r)
}

// elemType reads the type of a sequence or an optional.
func (d *decoder) elemType(r *wire.Reader, kind Kind) (Type, error) {
	of := Type{}
	for r.Next() {
		if r.Num != 1 {
			continue
		}
		var err error
		if of, err = d.typ(r.Message()); err != nil {
			return of, err
		}
	}
	if err := d.charge(sizeOf[Type]()); err != nil {
		return of, err
	}
	return Type{Kind: kind, Of: &of}, finish(r)
}

func (d *decoder) mapType(r *wire.Reader) (Type, error) {
	t := Type{Kind: KindMap, Of: &Type{}}
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			t.Key, err = elem(r.Int32())
		case 2:
			*t.Of, err = d.typ(r.Message())
		}
		if err != nil {
			return t, err
		}
	}
	if err := d.charge(sizeOf[Type]()); err != nil {
		return t, err
	}
	return t, finish(r)
}
