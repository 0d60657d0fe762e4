using MLNetExtension.Benchmarks.Measuring;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The training loop in Python, which needs a PyTorch that this repository does not install.</summary>
internal static class PyTorchPeer
{
    public const string Script = "Peers/pytorch_loop.py";

    /// <summary>Says which PyTorch will run.</summary>
    /// <exception cref="BenchmarkException">There is none; the message says what to install.</exception>
    public static async Task<string> Describe(ChildProcess children, CancellationToken cancellation)
    {
        try
        {
            return $"PyTorch {await children.RunPython<string>("The PyTorch loop", Script, ["--version"], cancellation)}";
        }
        catch (BenchmarkException)
        {
            throw new BenchmarkException(
                "--python needs a Python with torch: apt-get install python3-torch libopenblas0-openmp (Debian, Ubuntu), or --python FILE to name another.");
        }
    }
}
