"""A look at model and samplers before the first call that counts: does a run give what a fit takes it to give?

A fit remembers model calls, runs rows of a batch together and holds runs against each other, all of which is right only
where a model output depends on nothing but the state and the noise level. Whether it does cannot be read off a model's
patches, which anybody writes: it is found by running.
"""
