using BenchmarkDotNet.Running;
using KimiLinear.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(MatrixProductBenchmarks).Assembly).Run(args);
