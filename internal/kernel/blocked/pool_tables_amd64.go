//go:build amd64 && !purego

package blocked

var pool512 = poolTable{max: f32PoolMaxAVX512, mean: f32PoolMeanAVX512, sum: f32SumPixelsAVX512, mul: f32MulPixelsAVX512, add: f32AddPixelsAVX512, move: f32MovePixelsAVX512}

var pool256 = poolTable{max: f32PoolMaxAVX2, mean: f32PoolMeanAVX2, sum: f32SumPixelsAVX2, mul: f32MulPixelsAVX2, add: f32AddPixelsAVX2, move: f32MovePixelsAVX2}
