package main

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panels are the two charts of a training.
var panels = []struct {
	title  string
	series []string
}{
	{"Loss", []string{"loss", "val_loss"}},
	{"Accuracy", []string{"accuracy", "val_accuracy"}},
}

const (
	panelWidth  = 14 * vg.Centimeter
	panelHeight = 9 * vg.Centimeter
)

// writeCurves writes the chart of a training as a self-contained page and as a picture, where a path is given.
func writeCurves(h *train.History, page, picture string) error {
	if page != "" {
		if err := atomicfile.Write(page, func(w io.Writer) error { return writePage(w, h) }); err != nil {
			return err
		}
	}
	if picture == "" {
		return nil
	}
	return atomicfile.Write(picture, func(w io.Writer) error { return writePicture(w, h) })
}

// chart draws one panel; epochs count from 1.
func chart(h *train.History, title string, series []string) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, "epoch"
	p.X.Tick.Marker = epochTicks{}
	p.Add(plotter.NewGrid())
	p.Legend.Top = title == "Loss"
	for i, name := range series {
		v, ok := h.Series(name)
		if !ok {
			continue
		}
		xy := make(plotter.XYs, 0, len(v))
		for j, y := range v {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				xy = append(xy, plotter.XY{X: float64(h.Epochs[j].Epoch + 1), Y: y})
			}
		}
		if len(xy) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return nil, err
		}
		line.Color, points.Color, points.Shape = plotutil.Color(i), plotutil.Color(i), draw.CircleGlyph{}
		line.Width = vg.Points(1.5)
		p.Add(line, points)
		p.Legend.Add(name, line, points)
	}
	return p, nil
}

// epochTicks marks whole epochs only.
type epochTicks struct{}

func (epochTicks) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	step := math.Max(1, math.Ceil((hi-lo)/10))
	for x := math.Ceil(lo); x <= hi; x += step {
		ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprint(int(x))})
	}
	return ticks
}

func writePicture(w io.Writer, h *train.History) error {
	c := vgimg.New(2*panelWidth, panelHeight)
	all := draw.New(c)
	for i, p := range panels {
		chart, err := chart(h, p.title, p.series)
		if err != nil {
			return err
		}
		left := vg.Length(i) * panelWidth
		chart.Draw(draw.Crop(all, left, left-panelWidth, 0, 0))
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Training</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222; background: #fff }
figure { display: inline-block; margin: 0 1em 1em 0 }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse }
td, th { padding: .25em .8em; text-align: right; border-bottom: 1px solid #ddd }
</style>
</head>
<body>
<h1>Training</h1>
{{range .Charts}}<figure>{{.}}</figure>{{end}}
<table>
<tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
</body>
</html>
`))

func writePage(w io.Writer, h *train.History) error {
	var page struct {
		Charts []template.HTML
		Head   []string
		Rows   [][]string
	}
	for _, p := range panels {
		chart, err := chart(h, p.title, p.series)
		if err != nil {
			return err
		}
		svg, err := drawSVG(chart)
		if err != nil {
			return err
		}
		page.Charts = append(page.Charts, svg)
	}
	page.Head = []string{"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "images/s", "seconds"}
	for _, e := range h.Epochs {
		row := []string{fmt.Sprint(e.Epoch + 1), number(e.Loss), number(e.Metrics["accuracy"]), "", "", fmt.Sprintf("%.0f", e.RowsPerSecond), fmt.Sprintf("%.1f", e.Duration.Seconds())}
		if e.Validated {
			row[3], row[4] = number(e.ValLoss), number(e.ValMetrics["accuracy"])
		}
		page.Rows = append(page.Rows, row)
	}
	return pageTemplate.Execute(w, page)
}

func number(v float64) string { return fmt.Sprintf("%.4f", v) }

// drawSVG gives the svg element of a chart, without the XML head that a page must not have.
func drawSVG(p *plot.Plot) (template.HTML, error) {
	c := vgsvg.New(panelWidth, panelHeight)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", err
	}
	svg := b.Bytes()
	if i := bytes.Index(svg, []byte("<svg")); i > 0 {
		svg = svg[i:]
	}
	return template.HTML(svg), nil
}
