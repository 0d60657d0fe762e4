using Microsoft.ML;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class TorchSetupTests
{
    private static readonly Exception[] Failures =
    [
        new TypeInitializationException("TorchSharp.torch", new DllNotFoundException("Unable to load shared library 'LibTorchSharp' or one of its dependencies.")),
        new DllNotFoundException("Unable to load shared library 'torch_cpu'"),
        new NotSupportedException("This application or script uses TorchSharp but doesn't contain a reference to libtorch-cpu-linux-x64, Version=2.7.1.0.\n\nTrace"),
        new EntryPointNotFoundException("Unable to find an entry point named 'THSTensor_newer' in shared library 'LibTorchSharp'."),
        new MissingMethodException("Method not found: 'Void TorchSharp.torch.Tensor.backward()'."),
    ];

    // The step's observer stands for a native call that fails in the middle of a training.
    [TestMethod]
    public void A_torch_that_is_not_set_up_ends_in_one_sentence_that_names_the_package_and_keeps_the_cause()
    {
        foreach (var failure in Failures)
        {
            var options = Tiny.Options();
            options.Progress = new Tiny.Progress(_ => throw failure);
            var error = Assert.ThrowsExactly<InvalidOperationException>(() => Tiny.Train(new MLContext(seed: 1), options));

            Assert.AreSame(failure, error.InnerException);
            Assert.Contains("TorchSharp-cpu", error.Message);
            Assert.Contains(TorchSetup.TorchSharpVersion, error.Message);
            Assert.DoesNotContain("\n", error.Message);
        }
    }

    // What the loader of Debian 12 and of RHEL 9 says of TorchSharp 0.107's native library as it comes.
    [TestMethod]
    [DataRow("libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by libLibTorchSharp.so)", "LoadTorchSharpOnOlderLinux=true")]
    [DataRow("libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by libLibTorchSharp.so)", "GCC 12 or later")]
    public void A_libstdcxx_that_is_too_old_is_told_from_a_missing_torch(string loaderError, string advice)
    {
        string sentence = TorchSetup.Explain(Failures[2], () => loaderError)!;
        Assert.Contains(advice, sentence);
        Assert.DoesNotContain("TorchSharp-cpu", sentence);
        Assert.Contains("TorchSharp-cpu", TorchSetup.Explain(Failures[2], () => "")!);
        Assert.IsNull(TorchSetup.Explain(new IOException("no space"), () => loaderError));
    }

    [TestMethod]
    public void Failures_of_another_kind_are_left_as_they_are()
    {
        Exception[] others = [new DllNotFoundException("Unable to load shared library 'sqlite3'"), new NotSupportedException("Stream does not support seeking."), new EntryPointNotFoundException(), new FileNotFoundException("rows.csv"),
            new MissingMethodException("Microsoft.ML.Data.Loader", "Load"), new InvalidOperationException("TorchSharp")];
        foreach (var failure in others)
        {
            var options = Tiny.Options();
            options.Progress = new Tiny.Progress(_ => throw failure);
            Assert.AreSame(failure, Assert.Throws<Exception>(() => Tiny.Train(new MLContext(seed: 1), options)));
        }
    }
}
