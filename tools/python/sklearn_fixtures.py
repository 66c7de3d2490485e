"""Writes models that skl2onnx makes with what ONNX Runtime gives: python sklearn_fixtures.py [internal/ops/testdata/sklearn.json.gz].

Run it with the environment sklearn. The format is that of ml_fixtures.py. Labels are compared with scikit-learn's own here, and
probabilities and regressions within 1e-4, so that ONNX Runtime is not the only witness.
"""

import base64
import gzip
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from onnx import numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DictionaryType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn import (calibration, cluster, compose, datasets, decomposition, discriminant_analysis, ensemble, feature_extraction, feature_selection, gaussian_process,
                     impute, linear_model, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree)

warnings.filterwarnings("ignore")
X, Y = datasets.load_iris(return_X_y=True)
X = X.astype(np.float32)
TWO = Y < 2
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)
R = (X[:, 3] + 0.5 * X[:, 0]).astype(np.float32)
ROWS = X[::23].copy()
cases, missed = [], []


def b64(m):
    return base64.b64encode(m.SerializeToString()).decode()


def tensor(a):
    a = np.asarray(a)
    return b64(numpy_helper.from_array(a.astype(object) if a.dtype.kind in "OU" else a))


def out(v):
    if isinstance(v, list):
        return [[list(m.keys()), [float(x) for x in m.values()]] for m in v]
    return tensor(v)


def case(name, model, feeds=None, sample=None, witness=None, **options):
    """Converts a fitted model and runs it; witness is scikit-learn's answer for the first output."""
    feeds = {"X": ROWS} if feeds is None else feeds
    try:
        made = to_onnx(model, ROWS[:1] if sample is None else None, initial_types=sample, **{"target_opset": {"": 19, "ai.onnx.ml": 3}, **options})
        got = onnxruntime.InferenceSession(made.SerializeToString()).run(None, feeds)
    except Exception as e:
        missed.append(f"{name}: {str(e)[:120]}")
        return
    if witness is not None:
        want, have = np.asarray(witness).ravel(), np.asarray(got[0]).ravel()
        if have.dtype.kind in "fc":
            assert np.allclose(want.astype(float), have.astype(float), 1e-4, 1e-4), (name, want, have)
        else:
            assert (want.astype(str) == have.astype(str)).all(), (name, want, have)
    del made.metadata_props[:]
    made.producer_version, made.graph.doc_string = "", ""
    made.graph.name = name  # it holds random letters
    cases.append({"name": name, "model": b64(made), "inputs": [tensor(feeds[i.name]) if not isinstance(feeds[i.name], dict) else None for i in made.graph.input], "outputs": [out(v) for v in got]})


def classifier(name, model, y=Y, rows=slice(None), **options):
    model.fit(X[rows], y[rows])
    case(name, model, witness=model.predict(ROWS), **options)


def regressor(name, model, **options):
    model.fit(X, R)
    case(name, model, witness=model.predict(ROWS), **options)


def transformer(name, model, **options):
    model.fit(X, Y)
    case(name, model, witness=model.transform(ROWS), **options)


seed = dict(random_state=0)
few = dict(n_estimators=4, max_depth=3, **seed)
classifier("logistic", linear_model.LogisticRegression(max_iter=300))
classifier("logistic_two", linear_model.LogisticRegression(), rows=TWO)
classifier("logistic_names", linear_model.LogisticRegression(max_iter=300), y=NAMES[Y])
classifier("logistic_array", linear_model.LogisticRegression(max_iter=300), options={"zipmap": False})
classifier("sgd", linear_model.SGDClassifier(loss="log_loss", **seed))
classifier("ridge_classes", linear_model.RidgeClassifier())
classifier("linear_svc", svm.LinearSVC(**seed))
classifier("svc", svm.SVC(kernel="rbf", C=2, **seed))
classifier("svc_two_poly", svm.SVC(kernel="poly", degree=2, **seed), rows=TWO)
classifier("nusvc", svm.NuSVC(kernel="sigmoid", nu=0.1, gamma=0.01, **seed))
classifier("tree", tree.DecisionTreeClassifier(max_depth=3, **seed))
classifier("tree_names", tree.DecisionTreeClassifier(max_depth=3, **seed), y=NAMES[Y])
classifier("forest", ensemble.RandomForestClassifier(**few))
classifier("forest_two", ensemble.RandomForestClassifier(**few), rows=TWO)
classifier("extra_trees", ensemble.ExtraTreesClassifier(**few))
classifier("boosting", ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, **seed))
classifier("boosting_two", ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, **seed), rows=TWO)
classifier("ada", ensemble.AdaBoostClassifier(n_estimators=3, **seed))
classifier("bagging", ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=2), n_estimators=3, **seed))
classifier("voting", ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=300)), ("b", naive_bayes.GaussianNB())], voting="soft", flatten_transform=False))
classifier("stacking", ensemble.StackingClassifier([("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier(max_depth=2, **seed))]))
classifier("calibrated", calibration.CalibratedClassifierCV(svm.LinearSVC(**seed), cv=2))
classifier("bayes", naive_bayes.GaussianNB())
classifier("bayes_counts", naive_bayes.MultinomialNB())
classifier("bayes_bits", naive_bayes.BernoulliNB(binarize=2.0))
classifier("lda", discriminant_analysis.LinearDiscriminantAnalysis())
classifier("qda", discriminant_analysis.QuadraticDiscriminantAnalysis())
classifier("neighbours", neighbors.KNeighborsClassifier(3).fit(X[::5], Y[::5]), rows=slice(None, None, 5))
classifier("mlp", neural_network.MLPClassifier((6,), max_iter=200, **seed))
classifier("pipeline", pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(2), linear_model.LogisticRegression()))

regressor("linear", linear_model.LinearRegression())
regressor("elastic", linear_model.ElasticNet(alpha=0.1))
regressor("poisson", linear_model.PoissonRegressor())
regressor("svr", svm.SVR(C=2))
regressor("tree_regressor", tree.DecisionTreeRegressor(max_depth=3, **seed))
regressor("forest_regressor", ensemble.RandomForestRegressor(**few))
regressor("boosting_regressor", ensemble.GradientBoostingRegressor(n_estimators=3, max_depth=2, **seed))
regressor("mlp_regressor", neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=200, **seed))
few_rows = neighbors.KNeighborsRegressor(2).fit(X[::7], R[::7])
case("neighbours_regressor", few_rows, witness=few_rows.predict(ROWS))
case("neighbours_ms", few_rows, witness=few_rows.predict(ROWS), options={"optim": "cdist"}, target_opset={"": 19, "ai.onnx.ml": 3, "com.microsoft": 1})
gauss = gaussian_process.GaussianProcessRegressor(gaussian_process.kernels.RBF(2.0), alpha=0.1).fit(X[::10], R[::10])
case("gaussian_process", gauss, witness=gauss.predict(ROWS))
two = linear_model.LinearRegression().fit(X, np.stack([R, -R], 1))
case("linear_two_targets", two, witness=two.predict(ROWS))
trees = tree.DecisionTreeRegressor(max_depth=2, **seed).fit(X, np.stack([R, -R], 1))
case("tree_two_targets", trees, witness=trees.predict(ROWS))
case("tree_ml5", tree.DecisionTreeRegressor(max_depth=3, **seed).fit(X, R), target_opset={"": 21, "ai.onnx.ml": 5})

transformer("standard", preprocessing.StandardScaler())
transformer("minmax", preprocessing.MinMaxScaler(clip=True))
transformer("maxabs", preprocessing.MaxAbsScaler())
transformer("robust", preprocessing.RobustScaler())
transformer("normalizer", preprocessing.Normalizer("l1"))
transformer("binarizer", preprocessing.Binarizer(threshold=3.0))
transformer("bins", preprocessing.KBinsDiscretizer(3, encode="ordinal", quantile_method="linear"))
transformer("bins_onehot", preprocessing.KBinsDiscretizer(3, encode="onehot-dense", quantile_method="linear"))
transformer("polynomial", preprocessing.PolynomialFeatures(2))
transformer("power", preprocessing.PowerTransformer())
transformer("pca", decomposition.PCA(2, whiten=True))
transformer("svd", decomposition.TruncatedSVD(2, **seed))
transformer("kernel_pca", decomposition.KernelPCA(2, kernel="linear"))
transformer("select", feature_selection.SelectKBest(k=2))
kmeans = cluster.KMeans(3, n_init=1, **seed).fit(X)
case("kmeans", kmeans, witness=kmeans.predict(ROWS))
isolation = ensemble.IsolationForest(n_estimators=3, max_samples=16, **seed).fit(X)
case("isolation", isolation, witness=isolation.predict(ROWS))
one = svm.OneClassSVM(nu=0.1).fit(X)
case("one_class", one, witness=one.predict(ROWS))
holes = ROWS.copy()
holes[0, 0] = holes[2, 3] = np.nan
imputer = impute.SimpleImputer().fit(X)
case("imputer", imputer, {"X": holes}, witness=imputer.transform(holes))

WORDS = np.array([["red", "small"], ["blue", "large"], ["green", "small"], ["red", "large"]], dtype=object)
strings = [("X", StringTensorType([None, 2]))]
onehot = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(WORDS)
other = np.array([["blue", "tiny"], ["red", "small"]], dtype=object)
case("onehot_words", onehot, {"X": other}, strings, onehot.transform(other))
ordinal = preprocessing.OrdinalEncoder().fit(WORDS)
case("ordinal_words", ordinal, {"X": WORDS}, strings, ordinal.transform(WORDS))
numbers = np.array([[1, 20], [2, 30], [3, 20]], np.int64)
onehot = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(numbers)
case("onehot_numbers", onehot, {"X": numbers}, [("X", Int64TensorType([None, 2]))], onehot.transform(numbers))
labels = preprocessing.LabelEncoder().fit(NAMES)
case("label_words", labels, {"X": NAMES[[2, 0, 1]]}, [("X", StringTensorType([None]))], labels.transform(NAMES[[2, 0, 1]]))
columns = compose.ColumnTransformer([("n", preprocessing.StandardScaler(), ["size"]), ("c", preprocessing.OneHotEncoder(), ["colour"])])
try:
    import pandas
except ImportError:
    pandas = None
if pandas is not None:
    frame = pandas.DataFrame({"size": np.array([1, 2, 3, 4], np.float32), "colour": WORDS[:, 0]})
    mixed = pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(frame, [0, 1, 1, 0])
    case("columns", mixed, {"size": frame[["size"]].to_numpy(), "colour": frame[["colour"]].to_numpy()},
         [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))], mixed.predict(frame))
TEXTS = np.array(["The cat sat", "a dog and the cat", "dogs sat on dogs"], dtype=object)
for name, maker in {"counts": feature_extraction.text.CountVectorizer, "tfidf": feature_extraction.text.TfidfVectorizer}.items():
    for more, options in {"": {}, "_pairs": {"ngram_range": (1, 2)}}.items():
        vectorizer = maker(**options).fit(TEXTS)
        case(name + more, vectorizer, {"X": TEXTS}, [("X", StringTensorType([None]))], vectorizer.transform(TEXTS).toarray(), options={maker: {"locale": "C"}})

path = Path(sys.argv[1] if len(sys.argv) > 1 else "internal/ops/testdata/sklearn.json.gz")
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
text = f'{{"onnxruntime":"{onnxruntime.__version__}","skl2onnx":"{skl2onnx.__version__}","sklearn":"{sklearn.__version__}","cases":[\n{lines}\n]}}\n'
path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
print(len(cases), "cases", file=sys.stderr)
for m in missed:
    print("not made:", m, file=sys.stderr)
