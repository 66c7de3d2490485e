package ops

// BlackmanWindow is the window 0.42 - 0.5 cos(2 pi i/n) + 0.08 cos(4 pi i/n) of a given size.
var opBlackmanWindow = windowing("BlackmanWindow", 0.42, -0.5, 0.08)
