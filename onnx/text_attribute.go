package onnx

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// attribute parses what follows the name of an attribute: a kind, which may be missing, and a value.
func (p *parser) attribute(name string) {
	p.Str(1, name)
	kind := AttrUndefined
	if p.got(':') {
		w := p.identifier()
		kind = AttrKind(max(slices.Index(attrWords[:], w), 0))
		if kind == AttrUndefined {
			p.fail("%.128q is not a kind of attribute", w)
		}
	}
	p.want("=")
	switch {
	case p.got('@'):
		p.Str(21, p.name())
	case p.got('['):
		kind = p.attrList(kind)
	default:
		kind = p.attrValue(kind, false)
	}
	if kind != AttrUndefined {
		p.Varint(20, int64(kind))
	}
}

// listOf is the kind of a list of values of a kind, and back.
var listOf = map[AttrKind]AttrKind{
	AttrFloat: AttrFloats, AttrInt: AttrInts, AttrString: AttrStrings, AttrTensor: AttrTensors, AttrGraph: AttrGraphs,
	AttrType: AttrTypes, AttrSparseTensor: AttrSparseTensors,
}

func itemOf(list AttrKind) AttrKind {
	for item, l := range listOf {
		if l == list {
			return item
		}
	}
	return AttrUndefined
}

// attrList parses a list, whose kind must be said when it is empty.
func (p *parser) attrList(kind AttrKind) AttrKind {
	item := AttrUndefined
	if kind != AttrUndefined {
		if item = itemOf(kind); item == AttrUndefined {
			p.fail("an attribute of kind %s is not a list", attrWords[kind])
		}
	} else if p.peek() == ']' {
		p.fail("expected the kind of an empty list, as in : ints")
	}
	p.items(']', func() {
		got := p.attrValue(item, true)
		if item == AttrUndefined {
			item = got
		}
	})
	return listOf[item]
}

// attrValue parses one value, which must be of kind unless that is undefined, and gives its kind.
func (p *parser) attrValue(kind AttrKind, inList bool) AttrKind {
	got := kind
	if kind == AttrUndefined {
		got = p.guess()
	}
	num := func(k AttrKind) protowire.Number {
		if inList {
			k = listOf[k]
		}
		return protowire.Number(attrFields[k])
	}
	switch got {
	case AttrFloat:
		s, _ := p.number()
		p.Float32(num(got), float32(p.float(s, 32)))
	case AttrInt:
		return p.intOrFloat(kind, num)
	case AttrString:
		p.Str(num(got), p.quoted())
	case AttrGraph:
		p.Message(num(got), p.graph)
	case AttrTensor, AttrType:
		return p.tensorOrType(kind, num)
	default:
		p.fail("an attribute of kind %s has no syntax for its value here", attrWords[got])
	}
	return got
}

// guess tells the kind of the next value by how it starts; tensors and types start alike, as do integers and floats.
func (p *parser) guess() AttrKind {
	switch w := p.word(false); {
	case p.peek() == '"':
		return AttrString
	case isTypeWord(w):
		return AttrTensor
	case isFloatWord(w):
		return AttrFloat
	case w != "":
		return AttrGraph
	}
	return AttrInt
}

func (p *parser) intOrFloat(kind AttrKind, num func(AttrKind) protowire.Number) AttrKind {
	start := p.pos
	s, integer := p.number()
	if kind == AttrUndefined && !integer {
		p.Float32(num(AttrFloat), float32(p.float(s, 32)))
		return AttrFloat
	}
	p.pos = start
	p.Varint(num(AttrInt), p.int64())
	return AttrInt
}

func (p *parser) tensorOrType(kind AttrKind, num func(AttrKind) protowire.Number) AttrKind {
	t := p.typ()
	c := p.peek()
	if kind == AttrType || kind == AttrUndefined && c != '{' && c != '=' && c != '"' && !isLetter(c) {
		p.Message(num(AttrType), func() { p.typeBody(t) })
		return AttrType
	}
	name := ""
	if c == '"' || isLetter(c) {
		name = p.name()
	}
	_ = p.got('=')
	p.Message(num(AttrTensor), func() { p.constant(name, t) })
	return AttrTensor
}
