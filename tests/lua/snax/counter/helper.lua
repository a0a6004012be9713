return "the helper beside counter"
