"""Writes the fixtures of the codec tests: python codec_fixtures.py [onnx/testdata].

Each file has the fields that a part of onnx.proto can have: present and empty, present and zero, unknown, in every storage.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

T = TensorProto.DataType
UNKNOWN = bytes([0xC2, 0x3E, 3]) + b"new"  # field 1000: "new"


def model(graph, **fields):
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)], ir_version=14, **fields)
    m.opset_import.add(domain="com.example", version=1)
    return m


def identity(name, *values):
    return helper.make_node("Use", list(values), [name], domain="com.example")


def tensors():
    inits = []
    for name, number in T.items():
        if name == "UNDEFINED":
            continue
        typed = TensorProto(name=f"typed_{name}", data_type=number, dims=[5])
        if name == "STRING":
            typed.string_data.extend([b"", b"a", b"\xff\x00", "é".encode(), b'"\\'])
        elif name in ("FLOAT", "COMPLEX64"):
            typed.float_data.extend([0, -0.0, 1.5, float("inf"), float("nan")] * (2 if name != "FLOAT" else 1))
        elif name in ("DOUBLE", "COMPLEX128"):
            typed.double_data.extend([0, -0.0, 1e300, float("-inf"), 5e-324] * (2 if name != "DOUBLE" else 1))
        elif name == "INT64":
            typed.int64_data.extend([0, -1, 2**63 - 1, -(2**63), 7])
        elif name in ("UINT32", "UINT64"):
            typed.uint64_data.extend([0, 1, 2**32 - 1, 3, 4] if name == "UINT32" else [0, 2**64 - 1, 2**63, 3, 4])
        elif name in ("INT4", "UINT4", "FLOAT4E2M1"):
            typed.int32_data.extend([0x21, 0xF8, 0x07])
        elif name in ("INT2", "UINT2"):
            typed.int32_data.extend([0xE4, 0x01])
        elif name in ("INT8", "INT16", "INT32"):
            typed.int32_data.extend([0, -1, 127, -128, 5])
        elif name == "BOOL":
            typed.int32_data.extend([0, 1, 1, 0, 1])
        else:
            typed.int32_data.extend([0, 1, 63, 32, 7])
        inits.append(typed)
        if name != "STRING":
            bits = {"FLOAT6E2M3": 6, "FLOAT6E3M2": 6, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}.get(name)
            size = (5 * bits + 7) // 8 if bits else 5 * helper.tensor_dtype_to_np_dtype(number).itemsize
            inits.append(TensorProto(name=f"raw_{name}", data_type=number, dims=[5], raw_data=bytes(i % 2 for i in range(size))))
    empty = TensorProto(name="empty", data_type=1, dims=[2, 0], raw_data=b"", doc_string="")
    scalar = TensorProto(name="scalar", data_type=T.Value("INT8"), raw_data=b"\xff", doc_string="one", data_location=0)
    scalar.metadata_props.add(key="k", value="")
    segment = TensorProto(name="segment", data_type=1, dims=[1], float_data=[1])
    segment.segment.begin = 0
    segment.segment.end = 1
    outside = TensorProto(name="outside", data_type=1, dims=[2], data_location=1)
    for k, v in {"location": "none.bin", "offset": "4096", "length": "8", "checksum": "ab", "basepath": "x", "other": "y"}.items():
        outside.external_data.add(key=k, value=v)
    odd = TensorProto(name="odd", data_type=T.Value("UINT8"), dims=[2], int32_data=[-1, 300])
    truth = TensorProto(name="truth", data_type=T.Value("BOOL"), dims=[3], raw_data=b"\x00\x02\xff")
    dense = inits + [empty, scalar, segment, outside, odd, truth]
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("sparse", 1, [2], [1.0, 2.0]), helper.make_tensor("", T.Value("INT64"), [2], [1, 5]), [2, 3]
    )
    g = helper.make_graph([identity("y", *(t.name for t in dense), "sparse")], "tensors", [], [helper.make_tensor_value_info("y", 1, None)], dense, sparse_initializer=[sparse])
    return model(g)


def attributes():
    t = numpy_helper.from_array(np.arange(3, dtype=np.int64), "t")
    sub = helper.make_graph([identity("s", "x")], "sub", [], [helper.make_value_info("s", onnx.TypeProto())])
    other = helper.make_graph([identity("s2", "x")], "other", [], [helper.make_value_info("s2", onnx.TypeProto())])
    third = helper.make_graph([identity("s3", "x", "s")], "third", [], [helper.make_value_info("s3", onnx.TypeProto())])
    sub.node.add(op_type="Deep", domain="com.example", output=["deep"]).attribute.append(helper.make_attribute("g", third))
    sparse = helper.make_sparse_tensor(helper.make_tensor("", 1, [1], [1.0]), helper.make_tensor("", 7, [1, 2], [1, 2]), [2, 3])
    tp = helper.make_tensor_type_proto(1, ["N", 2, None], shape_denotation=["B", "", "C"])
    seq = helper.make_sequence_type_proto(tp)
    seq.denotation = "IMAGE"
    n = identity("y", "x", "", "x", "")
    n.output.extend(["", "y2", ""])
    n.name, n.doc_string, n.overload = "", "", ""
    n.metadata_props.add(key="source", value="line\n2")
    A = onnx.AttributeProto
    values = dict(f=0.0, f2=-1.5, i=0, i2=-(2**63), s=b"", s2=b"\xff\x00", t=t, g=sub, fs=[1.0, float("nan")], is_=[1, -1], ss=[b"", b"b"], ts=[t, t], gs=[other], sp=sparse, sps=[sparse, sparse], tp=tp, tps=[tp, seq])
    n.attribute.extend(helper.make_attribute(k, v) for k, v in values.items())
    for kind in (A.FLOATS, A.INTS, A.STRINGS, A.TENSORS, A.GRAPHS, A.SPARSE_TENSORS, A.TYPE_PROTOS):
        n.attribute.add(name=f"empty{kind}", type=kind, doc_string="none")
    n.attribute.add(name="untyped", i=3)
    n.attribute.add(name="", ref_attr_name="", type=A.INT)
    n.attribute.add(name="default", type=A.FLOAT)
    config = n.device_configurations.add(configuration_id="c", pipeline_stage=1)
    config.sharding_spec.add(tensor_name="x", device=[0, 1])
    g = helper.make_graph([n], "attributes", [helper.make_tensor_value_info("x", 1, [1])], [helper.make_tensor_value_info("y", 1, None)])
    m = model(g)
    m.configuration.add(name="c", num_devices=2, device=["a", "b"])
    return m


def values():
    tp = lambda *a: helper.make_tensor_type_proto(*a)
    kinds = {
        "unranked": tp(1, None), "scalar": tp(1, []), "dims": tp(1, ["N", 3, None, "2*s1", "?", ""]), "minus": tp(1, [-1, 0]), "untyped": tp(0, [1]),
        "seq": helper.make_sequence_type_proto(helper.make_optional_type_proto(tp(7, None))), "sparse": helper.make_sparse_tensor_type_proto(1, [2, 3]),
        "map": helper.make_map_type_proto(T.Value("STRING"), helper.make_map_type_proto(T.Value("INT64"), tp(1, []))), "none": onnx.TypeProto(),
    }
    kinds["opaque"] = onnx.TypeProto()
    kinds["opaque"].opaque_type.domain, kinds["opaque"].opaque_type.name = "d", "n"
    kinds["bare"] = onnx.TypeProto()
    kinds["bare"].sequence_type.SetInParent()
    kinds["dims"].denotation = "TENSOR"
    kinds["dims"].tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    inputs = [helper.make_value_info(k, v) for k, v in kinds.items()]
    inputs[0].doc_string = "text"
    inputs[1].doc_string = ""
    inputs[2].metadata_props.add(key="k", value="v")
    inputs.append(onnx.ValueInfoProto(name="no type"))
    infos = [helper.make_tensor_value_info("y", 1, [2]), helper.make_tensor_value_info("dangling", 1, [2]), helper.make_tensor_value_info("mid/1:0", 1, ["N"])]
    outs = [helper.make_tensor_value_info("y", 1, [3]), helper.make_tensor_value_info("scalar", 1, []), helper.make_tensor_value_info("y", 1, [4])]
    nodes = [identity("y", "mid/1:0"), identity("mid/1:0", *(i.name for i in inputs))]  # out of order
    init = [numpy_helper.from_array(np.float32(2), "scalar")]
    g = helper.make_graph(nodes, "values", inputs, outs, init, value_info=infos, doc_string="")
    a = g.quantization_annotation.add(tensor_name="y")
    a.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scalar")
    g.metadata_props.add(key="", value="")
    m = model(g, producer_name="", producer_version="", domain="", model_version=0, doc_string="")
    m.opset_import.add(version=3)  # no domain
    m.metadata_props.add(key="k", value="v")
    return m


def functions():
    ref = onnx.AttributeProto(name="alpha", ref_attr_name="a", type=onnx.AttributeProto.FLOAT)
    body = helper.make_node("Elu", ["x"], ["y"])
    body.attribute.append(ref)
    f = helper.make_function("com.example", "F", ["x", "unused"], ["y", "x"], [body], [helper.make_opsetid("", 20)], ["a"], [helper.make_attribute("b", 1.0)], doc_string="d", overload="o", value_info=[helper.make_tensor_value_info("y", 1, ["N"])])
    f.metadata_props.add(key="k", value="v")
    empty = onnx.FunctionProto(name="E", domain="", doc_string="", overload="")
    main = helper.make_graph([helper.make_node("F", ["x"], ["z"], domain="com.example", overload="o", a=1.0)], "main", [helper.make_tensor_value_info("x", 1, ["N"])], [helper.make_tensor_value_info("z", 1, ["N"])])
    return model(main, functions=[f, empty])


def training():
    w = numpy_helper.from_array(np.ones(2, np.float32), "w")
    main = helper.make_graph([identity("y", "x", "w")], "main", [helper.make_tensor_value_info("x", 1, [2])], [helper.make_tensor_value_info("y", 1, [2])], [w])
    algorithm = helper.make_graph([identity("new_w", "w", "y", "lr")], "step", [helper.make_tensor_value_info("lr", 1, [])], [helper.make_tensor_value_info("new_w", 1, [2])])
    start = helper.make_graph([identity("w0")], "start", [], [helper.make_tensor_value_info("w0", 1, [2])])
    m = model(main)
    m.training_info.append(helper.make_training_info(algorithm, [("w", "new_w")], start, [("w", "w0")]))
    m.training_info.add()
    return m


def unknown():
    """Unknown fields at every level, as a newer standard may write them."""
    m = functions()
    t = numpy_helper.from_array(np.float32(1), "t")
    t.MergeFromString(UNKNOWN)
    n = m.graph.node[0]
    n.attribute.append(helper.make_attribute("t", t))
    for part in (n.attribute[0], n, m.graph.input[0], m.graph.input[0].type, m.graph, m.functions[0], m.opset_import[0], m):
        part.MergeFromString(UNKNOWN)
    return m


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "onnx/testdata")
    for make in (tensors, attributes, values, functions, training, unknown):
        (folder / f"{make.__name__}.onnx").write_bytes(make().SerializeToString(deterministic=True))
