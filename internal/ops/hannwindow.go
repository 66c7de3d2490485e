package ops

// HannWindow is the window 0.5 - 0.5 cos(2 pi i/n) of a given size.
var opHannWindow = windowing("HannWindow", 0.5, -0.5)
