"""Writes models of ai.onnx.ml with what ONNX Runtime gives: python ml_fixtures.py [internal/ops/testdata/ml.json].

Each case has a model, its inputs (tensors, base64) and its outputs: tensors, or a list of maps. Maps as inputs are lists of
keys and values.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)
ML = "ai.onnx.ml"
cases = []


def b64(m):
    return base64.b64encode(m.SerializeToString()).decode()


def tensor(a):
    return b64(numpy_helper.from_array(a if a.dtype != object else a.astype(object)))


def info(name, a):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype) if a.dtype.kind not in "OU" else TensorProto.STRING, [None] * a.ndim)


def case(name, op, inputs, outputs=1, version=3, feeds=None, in_types=None, out_types=None, **attrs):
    node = helper.make_node(op, [f"x{i}" for i in range(len(inputs))], [f"y{i}" for i in range(outputs)], domain=ML, **attrs)
    ins = in_types or [info(f"x{i}", a) for i, a in enumerate(inputs)]
    outs = out_types or [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], name, ins, outs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(ML, version)], ir_version=8)
    got = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds or {f"x{i}": a for i, a in enumerate(inputs)})
    cases.append({
        "name": name,
        "model": b64(model),
        "inputs": [tensor(a) if isinstance(a, np.ndarray) else a for a in inputs],
        "outputs": [tensor(np.asarray(a)) if not isinstance(a, list) else [[list(m.keys()), [float(v) for v in m.values()]] for m in a] for a in got],
    })


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def strings(*s):
    return np.array(s, dtype=object)


X = f32(5, 3)
POST = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]

case("extract", "ArrayFeatureExtractor", [X, np.array([2, 0], np.int64)])
case("extract_list", "ArrayFeatureExtractor", [X[0], np.array([[2, 0, 1]], np.int64)])
case("binarizer", "Binarizer", [X], threshold=0.25)
case("mapper", "CategoryMapper", [strings("b", "z", "a")], cats_strings=["a", "b"], cats_int64s=[7, 8], default_int64=-3)
case("mapper_back", "CategoryMapper", [np.array([8, 9, 7], np.int64)], cats_strings=["a", "b"], cats_int64s=[7, 8], default_string="?")
case("features", "FeatureVectorizer", [X, f32(5, 2)], inputdimensions=[3, 2])
case("imputer", "Imputer", [np.array([[1, np.nan], [np.nan, 4]], np.float32)], imputed_value_floats=[5.0, 6.0], replaced_value_float=float("nan"))
case("imputer_one", "Imputer", [np.array([[1, 0], [0, 4]], np.int64)], imputed_value_int64s=[9], replaced_value_int64=0)
case("labels_1", "LabelEncoder", [strings("b", "z", "a")], version=1, classes_strings=["a", "b"], default_int64=-2)
case("labels_1_back", "LabelEncoder", [np.array([1, 5, 0], np.int64)], version=1, classes_strings=["a", "b"], default_string="?")
case("labels_4", "LabelEncoder", [np.array([1.5, np.nan, 3], np.float32)], version=4, keys_floats=[1.5, float("nan")], values_strings=["x", "nan"])
case("normalizer_max", "Normalizer", [np.abs(X)], norm="MAX")
case("normalizer_l1", "Normalizer", [X], norm="L1")
case("normalizer_l2", "Normalizer", [X], norm="L2")
case("onehot", "OneHotEncoder", [np.array([3, 1, 7], np.int64)], cats_int64s=[1, 3, 5])
case("onehot_strings", "OneHotEncoder", [strings("a", "c")], cats_strings=["a", "b"])
case("onehot_floats", "OneHotEncoder", [np.array([[3.0], [1.0]], np.float32)], cats_int64s=[1, 3, 5])
case("scaler", "Scaler", [X], offset=[0.5, 1.0, -1.0], scale=[2.0, 3.0, 0.5])
case("scaler_one", "Scaler", [X.astype(np.float64)], offset=[0.5], scale=[2.0])

for p in POST:
    case(f"linear_{p}", "LinearClassifier", [X], 2, coefficients=f32(9).tolist(), intercepts=[0.1, 0.2, -0.3], classlabels_ints=[4, 5, 6], post_transform=p)
    case(f"svm_linear_{p}", "SVMClassifier", [X], 2, coefficients=f32(9).tolist(), rho=[0.1], classlabels_ints=[4, 5, 6], post_transform=p, kernel_params=[0.1, 0.2, 2.0])
case("linear_strings", "LinearClassifier", [X], 2, coefficients=f32(9).tolist(), intercepts=[0.1, 0.2, -0.3], classlabels_strings=["a", "b", "c"], post_transform="SOFTMAX")
case("linear_logistic", "LinearClassifier", [X], 2, coefficients=f32(6).tolist(), intercepts=[0.1, 0.2], classlabels_ints=[0, 1], post_transform="LOGISTIC")
case("linear_regressor", "LinearRegressor", [X], coefficients=f32(6).tolist(), intercepts=[0.1, 0.2], targets=2)

for kernel in ["LINEAR", "POLY", "RBF", "SIGMOID"]:
    common = dict(kernel_type=kernel, kernel_params=[0.3, 0.1, 2.0], support_vectors=f32(18).tolist())
    case(f"svm_regressor_{kernel}", "SVMRegressor", [X], coefficients=f32(6).tolist(), n_supports=6, rho=[0.2], **common)
    case(f"svm_{kernel}", "SVMClassifier", [X], 2, coefficients=f32(12).tolist(), rho=f32(3).tolist(), vectors_per_class=[1, 2, 3],
         classlabels_ints=[0, 1, 2], **common)
    case(f"svm_probability_{kernel}", "SVMClassifier", [X], 2, coefficients=f32(12).tolist(), rho=f32(3).tolist(), vectors_per_class=[1, 2, 3],
         classlabels_strings=["a", "b", "c"], prob_a=[-1.2, -0.8, -1.0], prob_b=[0.1, 0.0, -0.1], **common)
    case(f"svm_two_{kernel}", "SVMClassifier", [X], 2, coefficients=f32(6).tolist(), rho=[0.1], vectors_per_class=[2, 4], classlabels_ints=[3, 8],
         prob_a=[-1.2], prob_b=[0.1], **common)
case("svm_regressor_linear", "SVMRegressor", [X], coefficients=f32(3).tolist(), rho=[0.2], kernel_params=[0.1, 0.2, 2.0])
case("svm_one_class", "SVMRegressor", [X], coefficients=f32(6).tolist(), n_supports=6, rho=[0.2], one_class=1, kernel_type="RBF",
     kernel_params=[0.3, 0.1, 2.0], support_vectors=f32(18).tolist())

# Two trees of two levels.
nodes = dict(
    nodes_treeids=[0] * 5 + [1] * 3, nodes_nodeids=[0, 1, 2, 3, 4, 0, 1, 2], nodes_featureids=[0, 1, 0, 0, 0, 2, 0, 0],
    nodes_modes=["BRANCH_LEQ", "BRANCH_GT", "LEAF", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"],
    nodes_values=[0.1, -0.2, 0, 0, 0, 0.3, 0, 0], nodes_truenodeids=[1, 3, 0, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0, 2, 0, 0],
    nodes_missing_value_tracks_true=[1, 0, 0, 0, 0, 0, 0, 0],
)
leaves = dict(treeids=[0, 0, 0, 1, 1], nodeids=[2, 3, 4, 1, 2])
XN = X.copy()
XN[0, 0] = XN[1, 1] = XN[2, 2] = np.nan
for how in ["SUM", "AVERAGE", "MIN", "MAX"]:
    case(f"trees_{how}", "TreeEnsembleRegressor", [XN], n_targets=2, aggregate_function=how, base_values=[0.5, -0.5],
         target_treeids=leaves["treeids"] * 2, target_nodeids=leaves["nodeids"] * 2, target_ids=[0] * 5 + [1] * 5, target_weights=f32(10).tolist(), **nodes)
classes = dict(class_treeids=leaves["treeids"] * 3, class_nodeids=leaves["nodeids"] * 3, class_ids=[0] * 5 + [1] * 5 + [2] * 5)
for p in POST:
    case(f"trees_{p}", "TreeEnsembleClassifier", [X], 2, classlabels_int64s=[3, 4, 9], post_transform=p, class_weights=np.abs(f32(15)).tolist(), **classes, **nodes)
one = dict(class_treeids=leaves["treeids"], class_nodeids=leaves["nodeids"], class_ids=[0] * 5)
case("trees_positive", "TreeEnsembleClassifier", [X], 2, classlabels_strings=["no", "yes"], class_weights=[0.1, 0.4, 0.3, 0.05, 0.45], **one, **nodes)
for p in ["NONE", "LOGISTIC"]:
    case(f"trees_binary_{p}", "TreeEnsembleClassifier", [X], 2, classlabels_int64s=[0, 1], post_transform=p, class_weights=f32(5).tolist(), **one, **nodes)
doubles = {k: v for k, v in nodes.items() if k != "nodes_values"}
case("trees_double", "TreeEnsembleRegressor", [X.astype(np.float64)], n_targets=1, target_treeids=leaves["treeids"], target_nodeids=leaves["nodeids"],
     target_ids=[0] * 5, target_weights_as_tensor=numpy_helper.from_array(rng.standard_normal(5)),
     nodes_values_as_tensor=numpy_helper.from_array(np.array(nodes["nodes_values"], np.float64)), **doubles)


def mapped(key, value):
    return helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, []))


def map_case(name, op, feed, key, value, **attrs):
    keys, vals = list(feed), list(feed.values())
    info = helper.make_value_info("x0", mapped(key, value))
    case(name, op, [[keys, vals]], feeds={"x0": feed}, in_types=[info], **attrs)


map_case("dict", "DictVectorizer", {"b": 2.5, "q": 1.0, "a": 3.0}, TensorProto.STRING, TensorProto.FLOAT, string_vocabulary=["a", "c", "b"])
map_case("dict_ints", "DictVectorizer", {5: 2.5, 7: 3.0}, TensorProto.INT64, TensorProto.FLOAT, int64_vocabulary=[7, 6, 5])
map_case("castmap", "CastMap", {5: 2.5, 1: 3.0}, TensorProto.INT64, TensorProto.FLOAT, cast_to="TO_FLOAT")
map_case("castmap_sparse", "CastMap", {5: 2.5, 1: 3.0}, TensorProto.INT64, TensorProto.FLOAT, cast_to="TO_INT64", map_form="SPARSE", max_map=7)

P = np.abs(f32(2, 3))
seq = [helper.make_value_info("y0", helper.make_sequence_type_proto(mapped(TensorProto.STRING, TensorProto.FLOAT)))]
case("zipmap", "ZipMap", [P], out_types=seq, classlabels_strings=["a", "b", "c"])
seq = [helper.make_value_info("y0", helper.make_sequence_type_proto(mapped(TensorProto.INT64, TensorProto.FLOAT)))]
case("zipmap_ints", "ZipMap", [P], out_types=seq, classlabels_int64s=[5, 3, 4])

path = Path(sys.argv[1] if len(sys.argv) > 1 else "internal/ops/testdata/ml.json")
path.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "cases": cases}, indent=1) + "\n")
