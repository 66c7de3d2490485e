package ops

// HammingWindow is the window a - (1-a) cos(2 pi i/n), where a is 25/46, of a given size.
var opHammingWindow = windowing("HammingWindow", 25.0/46, -21.0/46)
