package main

import "fmt"

// An isa is what the tile generator must know of an instruction set.
type isa struct {
	name  string
	reg   string // prefix of its vector registers
	regs  int    // how many there are
	bytes int    // of one vector
	rows  int    // of the greatest tile
	mask  bool   // columns may be masked
}

var (
	avx512 = isa{name: "AVX512", reg: "Z", regs: 32, bytes: 64, rows: 14, mask: true}
	avx2   = isa{name: "AVX2", reg: "Y", regs: 16, bytes: 32, rows: 6}
)

// An elem is an element type.
type elem struct {
	name   string // prefix of the kernels
	goType string
	size   int
	packed string // suffix of packed instructions
	scalar string // suffix of scalar instructions
}

var (
	f32 = elem{name: "f32", goType: "float32", size: 4, packed: "PS", scalar: "SS"}
	f64 = elem{name: "f64", goType: "float64", size: 8, packed: "PD", scalar: "SD"}
)

// An addressing says how a tile finds row k of its operands: at a fixed
// stride, or at an offset read from a table.
type addressing struct {
	name string
	a, b bool // by table
}

var (
	strided  = addressing{name: ""}
	aOffsets = addressing{name: "A", a: true}
	bOffsets = addressing{name: "B", b: true}
)

// frame lays out the arguments of a function as ABI0 does.
type frame struct {
	size int
	list string
	at   map[string]string
}

func newFrame() *frame { return &frame{at: map[string]string{}} }

func (f *frame) add(name, typ string, size int, part string) {
	if f.list != "" {
		f.list += ", "
	}
	f.list += name + " " + typ
	f.at[name] = fmt.Sprintf("%s%s+%d(FP)", name, part, f.size)
	f.size += size
}

func (f *frame) word(name string)       { f.add(name, "int", 8, "") }
func (f *frame) slice(name, typ string) { f.add(name, "[]"+typ, 24, "_base") }
func (f *frame) flag(name string)       { f.add(name, "bool", 1, "") }

// step adds the argument that leads from one k to the next.
func (f *frame) step(name string, table bool) {
	if table {
		f.slice(name+"Off", "int")
		return
	}
	f.word(name + "Step")
}

// tileFrame lays out the arguments that all tiles have.
func tileFrame(e elem, ad addressing) *frame {
	f := newFrame()
	f.word("rows")
	f.word("k")
	f.slice("a", e.goType)
	f.step("a", ad.a)
	f.slice("b", e.goType)
	f.step("b", ad.b)
	f.slice("c", e.goType)
	f.word("ldc")
	f.word("cols")
	f.add("start", "Start", 8, "")
	f.slice("bias", e.goType)
	f.flag("relu")
	return f
}

// A tileGen prints one function.
//
// Registers: SI a, R11 step of a or its table; DI b, R9 step of b or its table,
// R10 b eight rows ahead; DX c, R8 row of c; CX k, AX start, BX and R13 scratch.
type tileGen struct {
	*file
	isa
	e elem
	addressing
	*frame
	fn   string
	vecs int // vectors in a row
}

// v names vector register i.
func (t *tileGen) v(i int) string { return fmt.Sprintf("%s%d", t.reg, i) }

func (t *tileGen) zero(i int) {
	if t.mask {
		t.p("VPXORD %s, %s, %s", t.v(i), t.v(i), t.v(i))
		return
	}
	t.p("VXORPS %s, %s, %s", t.v(i), t.v(i), t.v(i))
}

// tile prints the GEMM tile of an instruction set for one way of addressing,
// with one body per number of rows.
func (f *file) tile(set isa, e elem, ad addressing) {
	lanes := set.bytes / e.size
	t := &tileGen{file: f, isa: set, e: e, addressing: ad, frame: tileFrame(e, ad), vecs: 2}
	t.fn = fmt.Sprintf("%sGemm%s%dx%d%s", e.name, ad.name, set.rows, 2*lanes, set.name)
	t.stub(lanes*2, set.rows)
	t.begin()
	if set.mask {
		t.masks(lanes)
	}
	t.p("MOVQ %s, BX", t.at["rows"])
	for r := set.rows; r > 1; r-- {
		t.p("CMPQ BX, $%d\nJEQ rows%d", r, r)
	}
	for r := 1; r <= set.rows; r++ {
		t.body(r)
	}
}

// wide prints the tile of one row and eight vectors, for products with a
// vector, where the latency of one row of a normal tile would dominate.
func (f *file) wide(set isa, e elem) {
	lanes := set.bytes / e.size
	set.mask = false
	t := &tileGen{file: f, isa: set, e: e, frame: tileFrame(e, strided), vecs: 8}
	t.fn = fmt.Sprintf("%sGemm1x%d%s", e.name, 8*lanes, set.name)
	t.stub(lanes*8, 1)
	t.begin()
	t.body(1)
}

// stub declares the function; its comment is the loop that it stands for.
func (t *tileGen) stub(cols, rows int) {
	at := func(name string, table bool) string {
		if table {
			return name + "Off[p]"
		}
		return "p*" + name + "Step"
	}
	t.d("// %s computes a tile of 1 to %d rows and 1 to %d columns.", t.fn, rows, cols)
	if t.mask {
		t.d("// It reads %d columns of b, and cols columns of the rest:\n//", cols)
	} else {
		t.d("// cols is always %d:\n//", cols)
	}
	t.d("//\tfor i := range rows {\n//\t\tfor j := range cols {")
	t.d("//\t\t\tsum := first(start, c[i*ldc+j], bias, i, j)")
	t.d("//\t\t\tfor p := range k {")
	t.d("//\t\t\t\tsum = fma(a[%s+i], b[%s+j], sum)\n//\t\t\t}", at("a", t.a), at("b", t.b))
	t.d("//\t\t\tc[i*ldc+j] = last(relu, sum)\n//\t\t}\n//\t}\n//")
	t.d("//go:noescape\nfunc %s(%s)\n", t.fn, t.list)
}

// begin prints the entry: arguments into registers, strides in bytes.
func (t *tileGen) begin() {
	t.p("// func %s(%s)", t.fn, t.list)
	t.p("TEXT ·%s(SB), NOSPLIT, $0-%d", t.fn, t.size)
	t.p("MOVQ %s, CX\nMOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, DX", t.at["k"], t.at["a"], t.at["b"], t.at["c"])
	shift := 2
	if t.e.size == 8 {
		shift = 3
	}
	t.p("MOVQ %s, R8\nSHLQ $%d, R8", t.at["ldc"], shift)
	if t.a {
		t.p("MOVQ %s, R11", t.at["aOff"])
	} else {
		t.p("MOVQ %s, R11\nSHLQ $%d, R11", t.at["aStep"], shift)
	}
	if t.b {
		t.p("MOVQ %s, R9", t.at["bOff"])
	} else {
		t.p("MOVQ %s, R9\nSHLQ $%d, R9\nLEAQ (DI)(R9*8), R10", t.at["bStep"], shift)
	}
	t.p("MOVQ %s, AX", t.at["start"])
}

// masks puts the valid columns of the two vectors into K1 and K2, and leaves
// the flags' answer to "are all valid" in R12: -1 if so.
func (t *tileGen) masks(lanes int) {
	t.p("MOVQ %s, BX\nMOVQ $-1, R12\nCMPQ BX, $%d\nJGE full", t.at["cols"], 2*lanes)
	t.p("XCHGQ BX, CX\nMOVQ $1, R12\nSHLQ CX, R12\nDECQ R12\nXCHGQ BX, CX")
	t.p("full:")
	t.p("MOVQ R12, BX\nKMOVW BX, K1\nSHRQ $%d, BX\nKMOVW BX, K2", lanes)
}

// body prints init, loop and store for r rows.
func (t *tileGen) body(r int) {
	l := func(s string) string { return fmt.Sprintf("%s%d", s, r) }
	t.p("\n%s:", l("rows"))
	t.first(r, l)
	t.p("%s:", l("go"))
	t.p("MOVQ CX, BX\nSHRQ $1, CX\nJZ %s\nPCALIGN $64\n%s:", l("odd"), l("loop"))
	t.step(r, 0)
	t.step(r, 1)
	t.advance(2)
	t.p("DECQ CX\nJNZ %s", l("loop"))
	t.p("%s:\nANDQ $1, BX\nJZ %s", l("odd"), l("done"))
	t.step(r, 0)
	t.p("%s:", l("done"))
	t.last(r, l)
	t.store(r, l)
}

// first sets the accumulators to what the chains start from.
func (t *tileGen) first(r int, l func(string) string) {
	t.p("CMPQ AX, $0\nJNE %s", l("some"))
	t.p("MOVQ DX, BX")
	for i := range r {
		for v := range t.vecs {
			t.zero(i*t.vecs + v)
		}
		t.p("PREFETCHT0 (BX)\nPREFETCHT0 %d(BX)", (t.vecs-1)*t.bytes)
		if i < r-1 {
			t.p("ADDQ R8, BX")
		}
	}
	t.p("JMP %s\n%s:", l("go"), l("some"))
	t.p("MOVQ %s, BX\nCMPQ AX, $2\nJEQ %s\nJGT %s", t.at["bias"], l("byrow"), l("bycol"))
	t.p("MOVQ DX, BX")
	for i := range r {
		for v := range t.vecs {
			t.load("BX", v, i*t.vecs+v)
		}
		if i < r-1 {
			t.p("ADDQ R8, BX")
		}
	}
	t.p("JMP %s\n%s:", l("go"), l("byrow"))
	for i := range r {
		t.p("VBROADCAST%s %d(BX), %s", t.e.scalar, i*t.e.size, t.v(i*t.vecs))
		for v := 1; v < t.vecs; v++ {
			t.p("VMOVA%s %s, %s", t.e.packed, t.v(i*t.vecs), t.v(i*t.vecs+v))
		}
	}
	t.p("JMP %s\n%s:", l("go"), l("bycol"))
	for v := range t.vecs {
		t.load("BX", v, v)
	}
	for i := 1; i < r; i++ {
		for v := range t.vecs {
			t.p("VMOVA%s %s, %s", t.e.packed, t.v(v), t.v(i*t.vecs+v))
		}
	}
}

// load reads vector v of the row at a register, valid columns only.
func (t *tileGen) load(at string, v, reg int) {
	if t.mask {
		t.p("VMOVU%s.Z %d(%s), K%d, %s", t.e.packed, v*t.bytes, at, v+1, t.v(reg))
		return
	}
	t.p("VMOVU%s %d(%s), %s", t.e.packed, v*t.bytes, at, t.v(reg))
}

// step prints one k, the u-th of the loop's unrolling.
func (t *tileGen) step(r, u int) {
	a, b := "(SI)", "(DI)"
	if u == 1 {
		a, b = "(SI)(R11*1)", "(DI)(R9*1)"
	}
	if t.a {
		t.p("MOVQ %d(R11), R13", u*8)
		a = fmt.Sprintf("(SI)(R13*%d)", t.e.size)
	}
	if t.b {
		t.p("MOVQ %d(R9), R13", u*8)
		b = fmt.Sprintf("(DI)(R13*%d)", t.e.size)
	} else if u == 0 {
		t.p("PREFETCHT0 (R10)\nPREFETCHT0 %d(R10)", (t.vecs-1)*t.bytes)
	} else {
		t.p("PREFETCHT0 (R10)(R9*1)\nPREFETCHT0 %d(R10)(R9*1)", (t.vecs-1)*t.bytes)
	}
	acc := r * t.vecs
	if t.vecs > 2 { // one row: each vector of b is used once
		t.p("VBROADCAST%s %s, %s", t.e.scalar, a, t.v(acc+u))
		for v := range t.vecs {
			t.p("VFMADD231%s %d%s, %s, %s", t.e.packed, v*t.bytes, b, t.v(acc+u), t.v(v))
		}
		return
	}
	for v := range t.vecs {
		t.p("VMOVU%s %d%s, %s", t.e.packed, v*t.bytes, b, t.v(acc+v))
	}
	spare := t.regs - acc - t.vecs
	for i := range r {
		x := t.v(acc + t.vecs + i%spare)
		t.p("VBROADCAST%s %d%s, %s", t.e.scalar, i*t.e.size, a, x)
		for v := range t.vecs {
			t.p("VFMADD231%s %s, %s, %s", t.e.packed, t.v(acc+v), x, t.v(i*t.vecs+v))
		}
	}
}

// advance moves the operands by two k.
func (t *tileGen) advance(n int) {
	if t.a {
		t.p("ADDQ $%d, R11", n*8)
	} else {
		t.p("LEAQ (SI)(R11*%d), SI", n)
	}
	if t.b {
		t.p("ADDQ $%d, R9", n*8)
	} else {
		t.p("LEAQ (DI)(R9*%d), DI\nLEAQ (R10)(R9*%d), R10", n, n)
	}
}

// last applies the activation. VMAX returns its second source, the first as
// written here, if either is NaN, and if both are zero.
func (t *tileGen) last(r int, l func(string) string) {
	t.p("CMPB %s, $0\nJEQ %s", t.at["relu"], l("keep"))
	z := r * t.vecs
	t.zero(z)
	for i := range r * t.vecs {
		t.p("VMAX%s %s, %s, %s", t.e.packed, t.v(i), t.v(z), t.v(i))
	}
	t.p("%s:", l("keep"))
}

func (t *tileGen) store(r int, l func(string) string) {
	if t.mask {
		t.p("CMPQ R12, $-1\nJNE %s", l("part"))
	}
	for i := range r {
		for v := range t.vecs {
			t.p("VMOVU%s %s, %d(DX)", t.e.packed, t.v(i*t.vecs+v), v*t.bytes)
		}
		if i < r-1 {
			t.p("ADDQ R8, DX")
		}
	}
	t.p("VZEROUPPER\nRET")
	if !t.mask {
		return
	}
	t.p("%s:", l("part"))
	for i := range r {
		for v := range t.vecs {
			t.p("VMOVU%s %s, K%d, %d(DX)", t.e.packed, t.v(i*t.vecs+v), v+1, v*t.bytes)
		}
		if i < r-1 {
			t.p("ADDQ R8, DX")
		}
	}
	t.p("VZEROUPPER\nRET")
}
