package layer

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/initializer"
)

// Padding says what surrounds an image, in pixels. The zero Padding is Valid.
type Padding struct {
	// Same adds what makes the output ceil(input / stride) pixels, the odd pixel at the end as Keras does. The other fields
	// must then be 0.
	Same                     bool
	Top, Left, Bottom, Right int
}

// The two paddings of Keras.
var (
	Valid = Padding{}
	Same  = Padding{Same: true}
)

// PadBy is n pixels on every side, as PyTorch's padding=n.
func PadBy(n int) Padding { return Padding{Top: n, Left: n, Bottom: n, Right: n} }

// pads are ONNX's pads (begins, then ends) for an image of h x w pixels, a dim of which may be unknown when p is not Same.
func (b *Builder) pads(p Padding, x *onnx.Value, kernel, strides, dilations [2]int) []int64 {
	if !p.Same {
		return []int64{int64(p.Top), int64(p.Left), int64(p.Bottom), int64(p.Right)}
	}
	out := make([]int64, 4)
	for i := range 2 {
		in := b.Dim(x, 2+i)
		total := max((ceilDiv(in, strides[i])-1)*strides[i]+dilations[i]*(kernel[i]-1)+1-in, 0)
		out[i], out[2+i] = int64(total/2), int64(total-total/2)
	}
	return out
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ones replaces zero entries by 1.
func ones(v [2]int) [2]int {
	for i := range v {
		v[i] = or(v[i], 1)
	}
	return v
}

func pair(v [2]int) []int64 { return []int64{int64(v[0]), int64(v[1])} }

// positive checks the entries of a window's size; the error is kept by b.
func (b *Builder) positive(kind, what string, v [2]int) bool {
	if v[0] < 1 || v[1] < 1 {
		b.Fail(onnx.Invalidf("layer: %s: expected positive %s, received %v", kind, what, v))
		return false
	}
	return true
}

// Conv2D slides Filters kernels over an image.
//
// In [N, C, H, W], out [N, Filters, H', W'], in pixels:
// H' = floor((H + pad - Dilations[0]*(Kernel[0]-1) - 1) / Strides[0]) + 1, W' alike.
// Zero means stride 1, dilation 1, one group, no padding, bias, and the convention's initial weights.
// Build fails if the input is not of rank 4, C is not fixed, or Groups does not divide C and Filters.
//
// Source: ONNX Conv; defaults as Keras Conv2D, layout as PyTorch.
type Conv2D struct {
	Name       string
	Filters    int
	Kernel     [2]int
	Strides    [2]int
	Dilations  [2]int
	Padding    Padding
	Groups     int
	Activation Activation
	NoBias     bool
	// WeightInitializer and BiasInitializer are nil for the convention's.
	WeightInitializer, BiasInitializer initializer.Initializer
}

// Build appends the layer.
func (l Conv2D) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	name, end := b.begin("Conv2D", "conv2d", l.Name)
	v := b.one("Conv2D", x)
	strides, dilations, groups := ones(l.Strides), ones(l.Dilations), or(l.Groups, 1)
	if v == nil || !b.rank("Conv2D", v, 4) || !b.positive("Conv2D", "kernel", l.Kernel) ||
		!b.positive("Conv2D", "strides", strides) || !b.positive("Conv2D", "dilations", dilations) {
		return nil
	}
	c := b.Dim(v, 1)
	if l.Filters < 1 || groups < 1 || c%groups != 0 || l.Filters%groups != 0 {
		b.Fail(onnx.Invalidf("layer: Conv2D: %d groups do not divide %d channels and %d filters", groups, c, l.Filters))
		return nil
	}
	area := l.Kernel[0] * l.Kernel[1]
	f := initializer.Fans{In: c / groups * area, Out: l.Filters * area}
	ins := []*onnx.Value{v, b.Parameter(name+".weight", weightInit(b, l.WeightInitializer), f, l.Filters, c/groups, l.Kernel[0], l.Kernel[1])}
	if !l.NoBias {
		ins = append(ins, b.Parameter(name+".bias", biasInit(b, l.BiasInitializer), f, l.Filters))
	}
	y := b.Op("Conv", ins, onnx.Ints("kernel_shape", pair(l.Kernel)...), onnx.Ints("strides", pair(strides)...),
		onnx.Ints("dilations", pair(dilations)...), onnx.Ints("pads", b.pads(l.Padding, v, l.Kernel, strides, dilations)...),
		onnx.Int("group", int64(groups)))
	return end(l.Activation.apply(b, y))
}

// MaxPool2D takes the largest pixel of each window.
//
// In [N, C, H, W], out [N, C, H', W'] with H' = floor((H + pad - Size[0]) / Strides[0]) + 1. Zero means windows of 2 by 2
// pixels, strides of the window's size, no padding. Padding never wins.
//
// Source: ONNX MaxPool; Keras MaxPooling2D, PyTorch MaxPool2d.
type MaxPool2D struct {
	Name    string
	Size    [2]int
	Strides [2]int
	Padding Padding
}

// Build appends the layer.
func (l MaxPool2D) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	return b.pool("MaxPool2D", "max_pooling2d", "MaxPool", l.Name, l.Size, l.Strides, l.Padding, x)
}

// AveragePool2D takes the mean of each window; see MaxPool2D for shapes and defaults. Padding is not counted in Keras's
// convention and counted as zeros in PyTorch's.
//
// Source: ONNX AveragePool; Keras AveragePooling2D, PyTorch AvgPool2d.
type AveragePool2D struct {
	Name    string
	Size    [2]int
	Strides [2]int
	Padding Padding
}

// Build appends the layer.
func (l AveragePool2D) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	var attrs []onnx.Attribute
	if b.Convention == pyTorch {
		attrs = append(attrs, onnx.Int("count_include_pad", 1))
	}
	return b.pool("AveragePool2D", "average_pooling2d", "AveragePool", l.Name, l.Size, l.Strides, l.Padding, x, attrs...)
}

func (b *Builder) pool(kind, base, opType, given string, size, strides [2]int, p Padding, x []*onnx.Value, attrs ...onnx.Attribute) *onnx.Value {
	_, end := b.begin(kind, base, given)
	v := b.one(kind, x)
	if size == [2]int{} {
		size = [2]int{2, 2}
	}
	if strides == [2]int{} {
		strides = size
	}
	if v == nil || !b.rank(kind, v, 4) || !b.positive(kind, "size", size) || !b.positive(kind, "strides", strides) {
		return nil
	}
	attrs = append(attrs, onnx.Ints("kernel_shape", pair(size)...), onnx.Ints("strides", pair(strides)...),
		onnx.Ints("pads", b.pads(p, v, size, strides, [2]int{1, 1})...))
	return end(b.Op(opType, []*onnx.Value{v}, attrs...))
}

// GlobalAveragePool2D takes the mean of each channel: in [N, C, H, W], out [N, C].
//
// Source: ONNX GlobalAveragePool; Keras GlobalAveragePooling2D.
type GlobalAveragePool2D struct{ Name string }

// Build appends the layer.
func (l GlobalAveragePool2D) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	_, end := b.begin("GlobalAveragePool2D", "global_average_pooling2d", l.Name)
	v := b.one("GlobalAveragePool2D", x)
	if v == nil || !b.rank("GlobalAveragePool2D", v, 4) {
		return nil
	}
	y := b.Op("GlobalAveragePool", []*onnx.Value{v})
	return end(b.Op("Flatten", []*onnx.Value{y}, onnx.Int("axis", 1)))
}
