// Lacks the one function that a module cannot do without.
void *noinit_create(void) {
    return 0;
}
