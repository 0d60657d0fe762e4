using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CoreContextTests
{
    [TestMethod]
    public void A_new_context_names_no_device_and_does_not_fall_back()
    {
        MLContext context = new();
        Assert.IsNull(context.GpuDeviceId);
        Assert.IsFalse(context.FallbackToCpu);
        context.GpuDeviceId = 1;
        context.FallbackToCpu = true;
        Assert.AreEqual(1, context.GpuDeviceId);
        Assert.IsTrue(context.FallbackToCpu);
        Assert.AreEqual("HostEnvironment", ((IHostEnvironment)context).ContextDescription);
        Assert.AreSame(context.ComponentCatalog, ((IHostEnvironment)context).Register("Host").ComponentCatalog);
    }

    [TestMethod]
    public void One_seed_draws_the_same_numbers_everywhere()
    {
        IHostEnvironment context = new MLContext(seed: 1);
        IHost first = context.Register("First");
        IHost second = context.Register("Second");
        IHost seeded = context.Register("Seeded", seed: 7);
        CollectionAssert.AreEqual(new[] { 408, 466, 532, 933, 415 }, Draw(first));
        Assert.AreEqual(0.6267402383964509, first.Rand.NextDouble());
        Assert.AreEqual(235789094, first.Rand.Next());
        Assert.AreEqual(397, first.Rand.Next(5, 500));
        CollectionAssert.AreNotEqual(Draw(first), Draw(second));
        CollectionAssert.AreEqual(new[] { 670, 625, 838, 193, 620 }, Draw(seeded));
        CollectionAssert.AreNotEqual(Draw(new MLContext()), Draw(new MLContext()));
    }

    [TestMethod]
    public void Log_tells_what_channels_say_with_kind_and_source()
    {
        MLContext context = new();
        List<LoggingEventArgs> seen = [];
        context.Log += (sender, message) =>
        {
            Assert.AreSame(context, sender);
            seen.Add(message);
        };
        IHost host = ((IHostEnvironment)context).Register("Trainer");
        using (IChannel channel = host.Start("Training"))
        {
            channel.Info(MessageSensitivity.None, "no arguments {0}");
            channel.Warning(MessageSensitivity.UserData, "step {0} of {1}", 3, 4);
            channel.Error(MessageSensitivity.Schema, "bad");
            channel.Trace(MessageSensitivity.All, "detail");
        }

        Assert.AreEqual("Channel started|no arguments {0}|step 3 of 4|bad|detail", string.Join('|', seen.Take(5).Select(message => message.RawMessage)));
        Assert.AreEqual("Trace|Info|Warning|Error|Trace", string.Join('|', seen.Take(5).Select(message => message.Kind)));
        Assert.IsTrue(seen.All(message => message.Source == "Trainer; Training"));
        Assert.AreEqual("[Source=Trainer; Training, Kind=Warning] step 3 of 4", seen[2].Message);
        Assert.MatchesRegex(@"^Channel finished\. Elapsed 00:00:[\d.]+\.$", seen[5].RawMessage);
        Assert.AreEqual("Channel disposed", seen[6].RawMessage);
        Assert.HasCount(7, seen);
    }

    [TestMethod]
    public void A_host_within_a_host_is_named_after_the_one_above_its_parent()
    {
        MLContext context = new();
        List<string> sources = [];
        context.Log += (_, message) => sources.Add(message.Source);
        IHostEnvironment environment = context;
        environment.Start("Own");
        environment.Register("Top").Register("Sub").Start("Channel");
        environment.Register("Top").Register("Sub").Register("SubSub").Start("Channel");
        Assert.AreEqual("Own|Sub; Channel|Top; SubSub; Channel", string.Join('|', sources));
    }

    [TestMethod]
    public void Exceptions_that_pass_an_environment_are_marked()
    {
        IHost host = ((IHostEnvironment)new MLContext()).Register("Host");
        InvalidOperationException exception = new("x");
        Assert.AreSame(exception, host.Process(exception));
        Assert.AreEqual("Environment", exception.Data["Throwing component"]);
        Assert.IsTrue(exception.Data.Contains("ML_IsMarked"));
        using IChannel channel = host.Start("Phase");
        exception = channel.Process(new InvalidOperationException("y"));
        Assert.AreEqual("Host|Phase", $"{exception.Data["Throwing component"]}|{exception.Data["Phase"]}");
    }

    private static int[] Draw(IHost host) => [.. Enumerable.Range(0, 5).Select(_ => host.Rand.Next(1000))];

    private static int[] Draw(MLContext context) => Draw(((IHostEnvironment)context).Register("Host"));
}
