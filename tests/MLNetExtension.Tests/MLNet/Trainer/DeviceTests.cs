using Microsoft.ML;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class DeviceTests
{
    [TestMethod]
    public void A_gpu_that_is_not_there_is_a_warning_or_an_error_that_says_what_to_install()
    {
        var mlContext = new MLContext(seed: 1) { GpuDeviceId = 999, FallbackToCpu = true };
        List<string> lines = Tiny.LogOf(mlContext);

        Train(mlContext).Dispose();
        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("GpuDeviceId is 999") && line.Contains("The CPU is used"), lines);

        mlContext.FallbackToCpu = false;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Train(mlContext));
        Assert.Contains(cuda.is_available() ? "numbered from 0" : "TorchSharp-cuda", error.Message);
    }

    // ML.NET gives a loader not the context but an environment inside it, which does not tell.
    // Seen to fail with: the context sought in the environment alone; the model was loaded to the CPU without a word.
    [TestMethod]
    public void Loading_asks_for_the_gpu_of_the_context_too()
    {
        var mlContext = new MLContext(seed: 1);
        using var archive = new MemoryStream();
        using (var model = Train(mlContext))
            mlContext.Model.Save(model, null, archive);
        List<string> lines = [];
        var loading = new MLContext { GpuDeviceId = 999 };
        loading.CausalLanguageModeling.RegisterLoader();
        loading.Log += (_, e) => lines.Add(e.Message);

        Assert.Contains("GpuDeviceId is 999", Assert.Throws<Exception>(() => Load()).GetBaseException().Message);
        loading.FallbackToCpu = true;
        ((IDisposable)Load()).Dispose();
        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("The CPU is used"), lines);

        ITransformer Load()
        {
            archive.Position = 0;
            return loading.Model.Load(archive, out _);
        }
    }
}
