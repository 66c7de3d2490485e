//go:build amd64 && !purego

package blocked

var depthwise512 = depthwiseTable{
	pixels: 14,
	stretches: [3][2]stretchKernel{
		{f32Depthwise3Stride1AVX512, f32Depthwise3Stride2AVX512},
		{f32Depthwise5Stride1AVX512, f32Depthwise5Stride2AVX512},
		{f32Depthwise7Stride1AVX512, f32Depthwise7Stride2AVX512},
	},
	taps: f32DepthwiseTapsAVX512,
}

var depthwise256 = depthwiseTable{
	pixels: 7,
	stretches: [3][2]stretchKernel{
		{f32Depthwise3Stride1AVX2, f32Depthwise3Stride2AVX2},
		{f32Depthwise5Stride1AVX2, f32Depthwise5Stride2AVX2},
		{f32Depthwise7Stride1AVX2, f32Depthwise7Stride2AVX2},
	},
	taps: f32DepthwiseTapsAVX2,
}
