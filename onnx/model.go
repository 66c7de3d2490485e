package onnx

// Model is a graph with what surrounds it in a file.
type Model struct {
	IRVersion       int
	Producer        string // producer_name
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	Doc             string
	Graph           *Graph
	Functions       []*Function
	Metadata        []Entry
	Training        []*TrainingInfo

	info modelInfo
}

// modelInfo is what the file said of a model beside its parts.
type modelInfo struct {
	configuration [][]byte
	present       present
	unknown       []byte
}

// Function is an operator that the model defines by a graph.
type Function struct {
	Domain, Name, Overload string
	Doc                    string
	// Attributes are the names of attributes that a call must give; Defaults those that it may give.
	Attributes []string
	Defaults   []Attribute
	// Body holds inputs, outputs and nodes; its Opsets are the function's imports.
	Body     *Graph
	Metadata []Entry
	present  present
	unknown  []byte
}

// TrainingInfo is the standard's recipe for training: an algorithm that runs after the model's graph and the initializers
// that its results replace.
type TrainingInfo struct {
	Initialization *Graph // may be nil
	Algorithm      *Graph // may be nil
	// InitializationBinding and UpdateBinding pair an initializer's name (Key) with an output's name (Value).
	InitializationBinding, UpdateBinding []Entry
	unknown                              []byte
}

// NewModel makes a model around g with the newest versions this package knows.
func NewModel(g *Graph) *Model {
	return &Model{IRVersion: 14, Producer: "gneiss", Graph: g}
}

// Copy copies m; contents of initializers are shared.
func (m *Model) Copy() *Model {
	c := *m
	c.Graph, _ = m.Graph.Copy(nil)
	c.Functions = nil
	for _, f := range m.Functions {
		d := *f
		d.Body, _ = f.Body.Copy(nil)
		c.Functions = append(c.Functions, &d)
	}
	return &c
}
