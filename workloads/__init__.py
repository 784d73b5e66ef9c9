"""The course workloads: the same work in each model of concurrency, with the same result."""
