package onnx

import "strconv"

// setExternal notes where the elements of t are.
func (t *Tensor) setExternal(s *stored) error {
	if t.Elem == String {
		return Invalidf("strings cannot be external")
	}
	if len(s.raw) > 0 || s.field != 0 || len(s.strings) > 0 {
		return Invalidf("elements are external and in the message as well")
	}
	x := &External{Length: -1, entries: t.form.entries}
	for _, e := range t.form.entries {
		var err error
		switch e.Key {
		case "location":
			x.Location = e.Value
		case "offset":
			x.Offset, err = unsigned(e)
		case "length":
			x.Length, err = unsigned(e)
		case "checksum":
			x.Checksum = e.Value
		}
		if err != nil {
			return err
		}
	}
	if x.Location == "" {
		return Invalidf("external_data has no location")
	}
	t.External = x
	return nil
}

func unsigned(e Entry) (int64, error) {
	n, err := strconv.ParseUint(e.Value, 10, 63)
	if err != nil {
		return 0, Invalidf("external_data %s: expected a number of bytes, received %.128q", e.Key, e.Value)
	}
	return int64(n), nil
}
