error "broken on purpose"
