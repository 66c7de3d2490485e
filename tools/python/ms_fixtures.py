"""Writes models of com.microsoft operators with what ONNX Runtime gives: python ms_fixtures.py [internal/ops/testdata/ms.json.gz].

Each case is a model of one node, its inputs and its outputs as tensors (base64); an output that is not defined is null. The
file also has ONNX Runtime's own schemas of the operators, against which ours are held. Run it with the environment torch,
which has ONNX Runtime.
"""

import base64
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as state
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(2)
MS = "com.microsoft"
cases, names = [], set()


def b64(m):
    return base64.b64encode(m.SerializeToString()).decode()


def elem(a):
    if a.dtype == object:
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(a.dtype)


def case(name, op, inputs, outputs=1, undefined=(), same=None, **more):
    """Adds a case and runs it, or runs op on the inputs same where ONNX Runtime has the form on other processors only."""
    names.add((more.get("domain", MS), op))
    model, feeds = build(name, op, inputs, outputs, **more)
    run, run_feeds = build(name, op, same, outputs, **more) if same else (model, feeds)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    got = onnxruntime.InferenceSession(run.SerializeToString(), options).run(None, run_feeds)
    cases.append({
        "name": name,
        "model": b64(model),
        "inputs": [b64(numpy_helper.from_array(a)) for a in feeds.values()],
        "outputs": [None if i in undefined else b64(numpy_helper.from_array(np.asarray(a))) for i, a in enumerate(got)],
    })


def build(name, op, inputs, outputs, const=(), absent=(), domain=MS, four=(), **attrs):
    """The model of a node and its feeds. None is an absent input, absent are outputs that are; const are the inputs that are initializers; four are those
    whose bytes are packed pairs of uint4."""
    values = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    outs = [f"y{i}" if i not in absent else "" for i in range(outputs)]
    node = helper.make_node(op, values, outs, domain=domain, **attrs)
    ins, inits, feeds = [], [], {}
    for i, a in enumerate(inputs):
        if a is None:
            continue
        if i in four:
            shape = list(a.shape[:-1]) + [a.shape[-1] * 2]
            inits.append(TensorProto(name=values[i], data_type=TensorProto.UINT4, dims=shape, raw_data=a.tobytes()))
        elif i in const:
            inits.append(numpy_helper.from_array(a, values[i]))
        else:
            ins.append(helper.make_tensor_value_info(values[i], elem(a), a.shape))
            feeds[values[i]] = a
    graph = helper.make_graph([node], name, ins, [onnx.ValueInfoProto(name=o) for o in outs if o], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)], ir_version=10)
    return model, feeds


def f32(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def s(v):
    return np.array(v, np.float32)


X = f32(2, 3, 8)
BIAS = f32(8)

# Activations and normalisations
case("gelu", "Gelu", [X])
case("bias_gelu", "BiasGelu", [X, BIAS])
case("fast_gelu", "FastGelu", [X])
case("fast_gelu_bias", "FastGelu", [X, BIAS])
case("quick_gelu", "QuickGelu", [X])
case("quick_gelu_alpha", "QuickGelu", [X], alpha=0.7)
gamma, beta = f32(8) + 1, f32(8)
case("skip_norm", "SkipLayerNormalization", [X, f32(2, 3, 8), gamma, beta], epsilon=1e-5)
case("skip_norm_all", "SkipLayerNormalization", [X, f32(1, 3, 8), gamma, beta, BIAS], 4, undefined=(1, 2))
case("skip_norm_plain", "SkipLayerNormalization", [X, f32(3, 8), gamma])
case("skip_rms", "SkipSimplifiedLayerNormalization", [X, f32(2, 3, 8), gamma, BIAS], 4, absent=(1, 2), epsilon=1e-5)
case("skip_rms_plain", "SkipSimplifiedLayerNormalization", [X, f32(2, 3, 8), gamma])
case("rms", "SimplifiedLayerNormalization", [X, gamma], 1, domain="", epsilon=1e-6)
case("rms_inverse", "SimplifiedLayerNormalization", [X, gamma], 2, domain="", axis=-1)
case("rms_f16", "SimplifiedLayerNormalization", [X.astype(np.float16), gamma.astype(np.float16)], 1, domain="", epsilon=1e-6)
ids = rng.integers(0, 10, (2, 5)).astype(np.int32)
segments = rng.integers(0, 2, (2, 5)).astype(np.int32)
mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
tables = [f32(10, 8), f32(7, 8), f32(2, 8), gamma, beta]
case("embed", "EmbedLayerNormalization", [ids, segments, *tables, mask], 3, epsilon=1e-5)
case("embed_no_segments", "EmbedLayerNormalization", [ids, None, tables[0], tables[1], None, gamma, beta], 2)
case("embed_positions", "EmbedLayerNormalization", [ids, segments, *tables, mask, np.array([[4, 3, 2, 1, 0]], np.int32)], 2)

# Products
A, B = f32(2, 3, 4), f32(2, 4, 5)
case("matmul", "FusedMatMul", [A, B], alpha=0.5)
case("matmul_trans", "FusedMatMul", [f32(2, 4, 3), f32(2, 5, 4)], transA=1, transB=1, alpha=2.0)
case("matmul_vector", "FusedMatMul", [f32(4), f32(4, 5)], transA=1)
case("matmul_batch", "FusedMatMul", [f32(3, 2, 4), f32(4, 2, 5)], transBatchA=1, transBatchB=1)
case("matmul_batch_trans", "FusedMatMul", [f32(4, 2, 3), f32(2, 5, 4)], transBatchA=1, transA=1, transB=1)
case("matmul_batch4", "FusedMatMul", [f32(3, 2, 2, 4), f32(2, 2, 4, 5)], transBatchA=1)
case("matmul_old", "TransposeMatMul", [f32(4, 3), f32(5, 4)], transA=1, transB=1, alpha=3.0)
for act, more in {"Relu": {}, "LeakyRelu": {"activation_alpha": 0.3}, "Tanh": {}, "Sigmoid": {}, "HardSigmoid": {"activation_alpha": 0.3, "activation_beta": 0.4},
                  "Elu": {"activation_alpha": 0.6}}.items():
    case(f"gemm_{act}", "FusedGemm", [f32(4, 3), f32(5, 4), f32(5)], transA=1, transB=1, alpha=0.5, beta=2.0, activation=act, **more)
I = f32(2, 3, 6, 5)
for act, params in {"Relu": [], "LeakyRelu": [0.3], "Tanh": [], "Sigmoid": [], "HardSigmoid": [0.3, 0.4], "Clip": [-0.5, 0.7], "HardSwish": []}.items():
    more = {"activation_params": params} if params else {}
    case(f"conv_{act}", "FusedConv", [I, f32(4, 3, 3, 3), f32(4)], const=(1, 2), pads=[1, 1, 1, 1], strides=[2, 1], activation=act, **more)
case("conv_sum", "FusedConv", [I, f32(4, 3, 3, 3), f32(4), f32(2, 4, 4, 3)], const=(1, 2), activation="Relu")
case("conv_group", "FusedConv", [f32(1, 4, 5, 5), f32(4, 1, 3, 3)], const=(1,), group=4, auto_pad="SAME_UPPER")

# Attention
W, QB = f32(8, 24, scale=0.5), f32(24)
seq = f32(2, 5, 8)
case("attention", "Attention", [seq, W, QB], num_heads=2)
case("attention_no_bias", "Attention", [seq, W], num_heads=4, scale=0.3)
case("attention_causal", "Attention", [seq, W, QB], num_heads=2, unidirectional=1)
case("attention_mask2", "Attention", [seq, W, QB, mask], num_heads=2)
case("attention_mask_filter", "Attention", [seq, W, QB, np.array([[1, 1, 1, 1, 0], [0, 0, 0, 0, 0]], np.int32)], num_heads=2, mask_filter_value=-5.0)
case("attention_mask3", "Attention", [seq, W, QB, rng.integers(0, 2, (2, 5, 5)).astype(np.int32)], num_heads=2)
case("attention_ends", "Attention", [seq, W, QB, np.array([4, 2], np.int32)], num_heads=2)
case("attention_starts", "Attention", [seq, W, QB, np.array([5, 4, 1, 0], np.int32)], num_heads=2)
case("attention_causal_mask", "Attention", [seq, W, QB, mask], num_heads=2, unidirectional=1)
past = f32(2, 2, 2, 3, 4)
case("attention_past", "Attention", [seq, W, QB, None, past], 2, num_heads=2, unidirectional=1)
case("attention_past_mask", "Attention", [seq, W, QB, rng.integers(0, 2, (2, 8)).astype(np.int32), past], 2, num_heads=2)
case("attention_bias", "Attention", [seq, W, QB, None, None, f32(1, 2, 5, 5)], num_heads=2)
case("attention_sizes", "Attention", [seq, f32(8, 28), f32(28)], num_heads=2, qkv_hidden_sizes=[8, 8, 12])
Q, K, V = f32(2, 3, 8), f32(2, 5, 8), f32(2, 5, 12)
case("mha", "MultiHeadAttention", [Q, K, V], num_heads=2)
case("mha_bias", "MultiHeadAttention", [Q, K, V, f32(28)], num_heads=2, scale=0.2)
case("mha_padding", "MultiHeadAttention", [Q, K, V, None, mask], num_heads=2)
case("mha_lengths", "MultiHeadAttention", [Q, K, V, None, np.array([5, 2], np.int32)], num_heads=2)
case("mha_added", "MultiHeadAttention", [Q, K, V, None, None, f32(2, 2, 3, 5)], num_heads=2)
case("mha_added_broadcast", "MultiHeadAttention", [Q, K, V, None, None, f32(1, 1, 3, 5)], num_heads=2)
case("mha_causal", "MultiHeadAttention", [K, K, V], num_heads=2, unidirectional=1)
case("mha_past", "MultiHeadAttention", [Q, f32(2, 3, 8), f32(2, 3, 8), None, None, None, f32(2, 2, 4, 4), f32(2, 2, 4, 4)], 3, num_heads=2)
case("mha_past_causal", "MultiHeadAttention", [Q, f32(2, 3, 8), f32(2, 3, 8), None, None, None, f32(2, 2, 4, 4), f32(2, 2, 4, 4)], 3, num_heads=2, unidirectional=1)
case("mha_cross", "MultiHeadAttention", [Q, f32(2, 2, 5, 4), f32(2, 2, 5, 4)], num_heads=2)
case("mha_cross_bias", "MultiHeadAttention", [Q, f32(2, 2, 5, 4), f32(2, 2, 5, 4), f32(24)], num_heads=2)
flat = lambda a: a.reshape(*a.shape[:2], -1)
packed = f32(2, 5, 2, 3, 4)
parts = [flat(packed[:, :, :, i]) for i in range(3)]
case("mha_packed_kv", "MultiHeadAttention", [Q, packed[:, :, :, 1:]], same=[Q, *parts[1:]], num_heads=2)
case("mha_packed", "MultiHeadAttention", [packed], same=parts, num_heads=2)
half = 4
angles = np.outer(np.arange(16), 1.0 / 10 ** np.arange(half)).astype(np.float32)
COS, SIN = np.cos(angles), np.sin(angles)
at = np.array([[0, 1, 2], [5, 6, 7]], np.int64)
for inter in (0, 1):
    case(f"rotary_{inter}", "RotaryEmbedding", [f32(2, 3, 16), at, COS, SIN], interleaved=inter)
    case(f"rotary_heads_{inter}", "RotaryEmbedding", [f32(2, 2, 3, 8), np.array([3], np.int64), COS, SIN], interleaved=inter)
case("rotary_part", "RotaryEmbedding", [f32(2, 3, 24), at, COS, SIN], num_heads=2, rotary_embedding_dim=8)


angles = np.outer(np.arange(16), 1.0 / 10 ** np.arange(8)).astype(np.float32)
COS16, SIN16 = np.cos(angles), np.sin(angles)


def normal(x, w, size):
    """Each head of x normalised and multiplied by w."""
    h = x.reshape(*x.shape[:2], -1, size).astype(np.float64)
    return flat(h / np.sqrt((h * h).mean(-1, keepdims=True) + 1e-5) * w).astype(np.float32)


def gqa(name, batch, length, room, tokens, total, q=4, kv=2, size=16, packed=False, past=True, extra=None, undefined=(), **attrs):
    """seqlens_k is tokens - 1; cos and sin are given with do_rotary."""
    extra = extra or {}
    parts = [f32(batch, length, q * size), f32(batch, length, kv * size), f32(batch, length, kv * size)]
    if packed:
        parts = [np.concatenate(parts, 2), None, None]
    cache = [f32(batch, kv, room, size), f32(batch, kv, room, size)] if past else [None, None]
    ins = [*parts, *cache, np.array(tokens, np.int32) - 1, np.array(total, np.int32)]
    ins += [COS16, SIN16] if attrs.get("do_rotary") else [None, None]
    ins += [extra.get(k) for k in ("position_ids", "attention_bias", "head_sink")] + [None, None]
    ins += [extra.get(k) for k in ("q_norm_weight", "k_norm_weight")]
    while ins[-1] is None:
        ins.pop()
    same = None
    if "q_norm_weight" in extra:
        same = [normal(ins[0], extra["q_norm_weight"], size), normal(ins[1], extra["k_norm_weight"], size), *ins[2:9]]
    case(name, "GroupQueryAttention", ins, 3, undefined, same, num_heads=q, kv_num_heads=kv, **attrs)


gqa("gqa_prompt", 2, 5, 0, [5, 5], 5, past=False)
gqa("gqa_prompt_empty", 1, 5, 0, [5], 5, do_rotary=1)
gqa("gqa_step", 1, 1, 6, [7], 7, do_rotary=1)
gqa("gqa_step_batch", 2, 1, 6, [7, 7], 7, do_rotary=1, rotary_interleaved=1)
gqa("gqa_room", 1, 1, 10, [7], 7, do_rotary=1, undefined=(1, 2))
gqa("gqa_ragged", 2, 1, 10, [7, 4], 7, do_rotary=1, undefined=(1, 2))
gqa("gqa_more", 1, 3, 4, [7], 7, do_rotary=1)
gqa("gqa_packed", 1, 4, 0, [4], 4, packed=True, do_rotary=1)
gqa("gqa_window", 1, 6, 0, [6], 6, local_window_size=3)
gqa("gqa_window_step", 1, 1, 6, [7], 7, local_window_size=3)
gqa("gqa_softcap", 1, 4, 0, [4], 4, softcap=2.0, scale=0.5)
gqa("gqa_smooth", 1, 4, 0, [4], 4, smooth_softmax=1)
gqa("gqa_sink", 1, 1, 6, [7], 7, extra={"head_sink": f32(4)})
gqa("gqa_bias", 1, 4, 0, [4], 4, extra={"attention_bias": f32(1, 4, 4, 4)})
gqa("gqa_bias_step", 1, 1, 6, [7], 7, extra={"attention_bias": f32(1, 1, 1, 7)})
gqa("gqa_positions", 1, 3, 4, [7], 7, do_rotary=1, extra={"position_ids": np.array([[9, 10, 11]], np.int64)})
gqa("gqa_norms", 1, 4, 0, [4], 4, do_rotary=1, extra={"q_norm_weight": f32(16) + 1, "k_norm_weight": f32(16) + 1}, qk_norm_epsilon=1e-5)
gqa("gqa_one_head", 1, 3, 2, [5], 5, q=3, kv=1)

# Quantized
qa = [u8(2, 3, 4), s(0.02), np.array(120, np.uint8)]
qb = [u8(2, 3, 4), s(0.03), np.array(130, np.uint8)]
qc = [s(0.04), np.array(125, np.uint8)]
qs = [i8(3, 1), s(0.02), np.array(-3, np.int8)]
for op in ("QLinearAdd", "QLinearMul"):
    case(op, op, [*qa, *qb, *qc])
    case(op + "_signed", op, [*qs, i8(1, 5), s(0.05), np.array(4, np.int8), s(0.06), np.array(2, np.int8)])
case("QLinearSigmoid", "QLinearSigmoid", [*qa, s(1 / 256), np.array(0, np.uint8)], const=(1, 2, 3, 4))
case("QLinearSigmoid_signed", "QLinearSigmoid", [i8(4, 5), s(0.05), np.array(3, np.int8), s(1 / 256), np.array(-128, np.int8)])
case("QLinearLeakyRelu", "QLinearLeakyRelu", [*qa, *qc], alpha=0.1)
qi = [u8(1, 3, 6, 5), s(0.02), np.array(120, np.uint8)]
case("QLinearAveragePool", "QLinearAveragePool", [*qi, *qc], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case("QLinearAveragePool_pad", "QLinearAveragePool", [*qi, *qc], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
case("QLinearAveragePool_last", "QLinearAveragePool", [u8(1, 6, 5, 3), *qi[1:], *qc], kernel_shape=[2, 2], channels_last=1)
case("QLinearGlobalAveragePool", "QLinearGlobalAveragePool", [*qi, *qc])
case("QLinearGlobalAveragePool_last", "QLinearGlobalAveragePool", [u8(1, 6, 5, 3), *qi[1:], *qc], channels_last=1)
case("QLinearConcat", "QLinearConcat", [*qc, *qa, u8(2, 2, 4), s(0.01), np.array(7, np.uint8)], axis=1)
case("QLinearSoftmax", "QLinearSoftmax", [*qa, s(1 / 256), np.array(0, np.uint8)], opset=13, axis=-1, const=(1, 2, 3, 4))
case("QLinearSoftmax_old", "QLinearSoftmax", [*qa, s(1 / 256), np.array(0, np.uint8)], opset=11, axis=1, const=(1, 2, 3, 4))
case("QLinearWhere", "QLinearWhere", [rng.random((2, 3, 4)) > 0.5, *qa, *qb, *qc])
qw = [i8(4, 3, 3, 3), np.abs(f32(4)) * 0.01 + 0.005, np.zeros(4, np.int8)]
case("QLinearConv", "QLinearConv", [*qi, *qw, *qc, rng.integers(-500, 500, 4).astype(np.int32)], const=(1, 2, 3, 4, 5, 6, 7, 8), pads=[1, 1, 1, 1])
case("QLinearConv_last", "QLinearConv", [u8(1, 6, 5, 3), *qi[1:], *qw, *qc], const=(1, 2, 3, 4, 5, 6, 7), channels_last=1, strides=[2, 2])
case("NhwcMaxPool", "NhwcMaxPool", [u8(1, 6, 5, 3)], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 0])
am, bm = [u8(3, 6), s(0.02), np.array(120, np.uint8)], [i8(6, 4), s(0.03), np.array(-3, np.int8)]
c = rng.integers(-500, 500, 4).astype(np.int32)
case("QGemm", "QGemm", [*am, *bm, c, s(0.1), np.array(128, np.uint8)], const=(3, 4, 5))
case("QGemm_real", "QGemm", [*am, *bm, c], alpha=0.7)
case("QGemm_trans", "QGemm", [u8(6, 3), *am[1:], i8(4, 6), np.abs(f32(4)) * 0.02 + 0.01, np.zeros(4, np.int8)], transA=1, transB=1)
case("MatMulIntegerToFloat", "MatMulIntegerToFloat", [am[0], bm[0], am[1], bm[1], am[2], bm[2], f32(4)])
case("MatMulIntegerToFloat_columns", "MatMulIntegerToFloat", [u8(2, 3, 6), u8(6, 4), s(0.02), np.abs(f32(4)) * 0.02 + 0.01])
case("DynamicQuantizeMatMul", "DynamicQuantizeMatMul", [f32(2, 3, 6), bm[0], bm[1], bm[2], f32(4)])
case("DynamicQuantizeMatMul_columns", "DynamicQuantizeMatMul", [f32(3, 6), u8(6, 4), np.abs(f32(4)) * 0.02 + 0.01, u8(4)])
case("QAttention", "QAttention", [u8(2, 5, 8), i8(8, 24), QB, s(0.02), s(0.01), np.array([4, 2], np.int32), np.array(128, np.uint8), np.array(0, np.int8)], num_heads=2)
case("QAttention_causal", "QAttention", [u8(2, 5, 8), u8(8, 24), QB, s(0.02), s(0.01), None, np.array(120, np.uint8), np.array(130, np.uint8), past], 2, num_heads=2, unidirectional=1)
quarter = [s(0.02), s(0.03), s(0.04), s(0.01), s(0.02)]
zeros = [np.array(v, np.uint8) for v in (120, 130, 128, 100, 127)]
case("QEmbed", "QEmbedLayerNormalization", [ids, segments, u8(10, 8), u8(7, 8), u8(2, 8), u8(8), u8(8), mask, *quarter, *zeros], 2,
     const=(2, 3, 4, 5, 6, *range(8, 18)), epsilon=1e-5)
case("QEmbed_no_segments", "QEmbedLayerNormalization", [ids, None, u8(10, 8), u8(7, 8), None, u8(8), u8(8), None, *quarter[:2], None, *quarter[3:], *zeros[:2], None, *zeros[3:]], 2,
     const=(2, 3, 5, 6, 8, 9, 11, 12, 13, 14, 16, 17))
for e, zero in ((np.int16, -3), (np.uint16, 400), (np.uint8, 7)):
    case(f"quantize_{e.__name__}", "QuantizeLinear", [f32(3, 4, scale=3), s(0.02), np.array(zero, e)])
    x = rng.integers(0, 100, (3, 4)).astype(e)
    case(f"dequantize_{e.__name__}", "DequantizeLinear", [x, s(0.02), np.array(zero, e)])
case("quantize_axis", "QuantizeLinear", [f32(3, 4), np.abs(f32(4)) + 0.01, u8(4)], axis=1)


def nbits(name, n, k, block, bits, m=3, zero=None, bias=False, lead=(), **attrs):
    blocks = (k + block - 1) // block
    ins = [f32(*lead, m, k), u8(n, blocks, block * bits // 8), np.abs(f32(n * blocks)) * 0.1]
    const = [1, 2]
    if zero == "packed":
        ins.append(u8(n * ((blocks * bits + 7) // 8)))
        const.append(3)
    elif zero == "real":
        ins.append((f32(n * blocks) + 2 ** (bits - 1)).astype(np.float32))
        const.append(3)
    if bias:
        ins += [None] * (5 - len(ins)) + [f32(n)]
        const.append(5)
    case(name, "MatMulNBits", ins, const=tuple(const), N=n, K=k, block_size=block, bits=bits, **attrs)


nbits("nbits4", 8, 32, 16, 4)
nbits("nbits4_zero", 5, 48, 16, 4, zero="packed")
nbits("nbits4_rest", 5, 40, 32, 4, zero="packed", bias=True)
nbits("nbits4_real", 4, 32, 16, 4, zero="real")
nbits("nbits4_batch", 4, 32, 16, 4, lead=(2,), m=1)
for bits in (2, 8):
    for zero in (None, "packed"):
        nbits(f"nbits{bits}_{zero}", 4, 48, 16, bits, zero=zero)
idx = np.array([[3, 0], [1, 5]], np.int64)
case("gather4", "GatherBlockQuantized", [u8(6, 16), idx, np.abs(f32(6, 2))], const=(0, 2), four=(0,), block_size=16, quantize_axis=1)
case("gather4_zero", "GatherBlockQuantized", [u8(6, 32), idx, np.abs(f32(6, 4)), u8(6, 2)], const=(0, 2, 3), four=(0, 3), block_size=16, quantize_axis=1)
case("gather4_axis", "GatherBlockQuantized", [u8(32, 3), idx, np.abs(f32(2, 6))], const=(0, 2), four=(0,), block_size=16, quantize_axis=0, gather_axis=1)
case("gather_bytes", "GatherBlockQuantized", [u8(6, 16), idx, np.abs(f32(6, 2))], const=(0, 2), block_size=16, quantize_axis=1, bits=4)
case("gather_bytes_zero", "GatherBlockQuantized", [u8(6, 24), idx, np.abs(f32(6, 3)), u8(6, 2)], const=(0, 2, 3), block_size=16, quantize_axis=1, bits=4)
case("gather_bytes8", "GatherBlockQuantized", [u8(6, 32), idx, np.abs(f32(6, 2)), u8(6, 2)], const=(0, 2, 3), block_size=16, quantize_axis=1, bits=8)

# Small things
case("expand_dims", "ExpandDims", [X, np.array(1, np.int32)])
case("expand_dims_last", "ExpandDims", [X, np.array(-1, np.int32)])
case("trilu", "Trilu", [f32(3, 4), np.array(1, np.int64)], upper=0)
case("pad", "Pad", [f32(2, 3), np.array([0, 1, 1, 0], np.int64), s([2.5])])
case("range", "Range", [s(1), s(4)])
case("range_by", "Range", [np.array(7, np.int64), np.array(1, np.int64), np.array(-2, np.int64)])
case("cdist", "CDist", [f32(4, 3), f32(5, 3)])
case("cdist_root", "CDist", [f32(4, 3).astype(np.float64), f32(5, 3).astype(np.float64)], metric="euclidean")
texts = np.array(["Hello World", "I love  computer science !", "naïve café, 日本語", ""], object)
tokens = dict(mark=0, mincharnum=1, pad_value="#")
case("tokens", "Tokenizer", [texts], **tokens, separators=[" "])
case("tokens_two", "Tokenizer", [texts.reshape(2, 2)], **tokens, separators=[",? ", "o"])
case("tokens_mark", "Tokenizer", [texts], mark=1, mincharnum=2, pad_value="", separators=[" "])
case("tokens_expression", "Tokenizer", [texts], **tokens, tokenexp="[a-zA-Z0-9_]+")
case("tokens_longest", "Tokenizer", [np.array(["abcab", "ab"], object)], **tokens, tokenexp="a|ab|abc")
case("tokens_pairs", "Tokenizer", [texts], mark=0, mincharnum=2, pad_value="#", tokenexp="\\b\\w\\w+\\b")
case("tokens_letters", "Tokenizer", [texts], **tokens, separators=[""])
case("tokens_any", "Tokenizer", [texts[1:3]], mark=1, mincharnum=1, pad_value="#", tokenexp=".")
case("tokens_none", "Tokenizer", [np.array(["  ", " "], object)], **tokens, separators=[" "])
case("tokens_no_strings", "Tokenizer", [np.zeros((2, 0), object)], **tokens, separators=[" "])


KINDS = {"FLOAT": "float", "INT": "int", "STRING": "string", "FLOATS": "floats", "INTS": "ints", "STRINGS": "strings"}
# Operators that ONNX Runtime has no kernel for on this processor: only their schemas are compared.
names |= {(MS, "NhwcConv"), (MS, "NhwcFusedConv")}


def schema(o):
    param = lambda p: {"name": p.name, "type": p.typeStr, "option": str(p.option).split(".")[-1]}
    return {
        "domain": o.domain, "name": o.name,
        "inputs": [param(p) for p in o.inputs], "outputs": [param(p) for p in o.outputs],
        "types": {c.type_param_str: sorted(c.allowed_type_strs) for c in o.type_constraints},
        "attributes": {k: [KINDS[str(a.type).split(".")[-1]], a.required] for k, a in sorted(o.attributes.items())},
    }


schemas = sorted((schema(o) for o in state.get_all_operator_schema() if (o.domain, o.name) in names), key=lambda o: (o["domain"], o["name"]))
path = Path(sys.argv[1] if len(sys.argv) > 1 else "internal/ops/testdata/ms.json.gz")
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
rows = ",\n".join(json.dumps(o, separators=(",", ":")) for o in schemas)
text = f'{{"onnxruntime":"{onnxruntime.__version__}","onnx":"{onnx.__version__}","schemas":[\n{rows}\n],"cases":[\n{lines}\n]}}\n'
path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
print(len(cases), "cases of", len(names), "operators", file=sys.stderr)
