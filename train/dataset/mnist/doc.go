// Package mnist embeds the MNIST data set: 60,000 training and 10,000 test images of handwritten digits, 28 by 28 grey
// pixels, with their classes 0 to 9.
//
// The four files are the ones that Yann LeCun, Corinna Cortes and Christopher J.C. Burges published, in the idx format,
// compressed. They are made available under the terms of the Creative Commons Attribution-Share Alike 3.0 licence (LICENSE
// beside them). The module holds nothing else, so that programs that do not import it do not carry its eleven megabytes.
package mnist
