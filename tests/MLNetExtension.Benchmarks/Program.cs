using MLNetExtension.Benchmarks;

return await BenchmarksApp.Run(args);
