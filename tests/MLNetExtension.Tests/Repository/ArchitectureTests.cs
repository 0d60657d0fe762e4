using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

[TestClass]
public sealed class ArchitectureTests
{
    [TestMethod]
    public void Every_room_uses_only_the_rooms_it_may()
    {
        IReadOnlyList<SourceFile> files = [.. SourceTree.Files("src/MLNetExtension", ".cs").Where(file => !file.Path.Contains("/buildTransitive/"))];
        Assert.IsNotEmpty(files);
        Assert.AreEqual("", string.Join('\n', files.SelectMany(Rooms.Faults)));
    }

    [TestMethod]
    public void Every_room_of_the_samples_uses_only_the_rooms_it_may()
    {
        IReadOnlyList<SourceFile> files = SourceTree.Files("src/Samples", ".cs");
        Assert.IsNotEmpty(files);
        Assert.AreEqual("", string.Join('\n', files.SelectMany(Rooms.SampleFaults)));
    }

    [TestMethod]
    [DataRow("Jobs/A.cs", "using Samples.Commands;", "Jobs may not use Commands")]
    [DataRow("Reporting/A.cs", "class A { object o = new Comparison.AccumulationRun(); }", "Reporting may not use Comparison")]
    [DataRow("Commands/A.cs", "class A { int code = SamplesApp.Run(); }", "Commands may not use SamplesApp")]
    [DataRow("Utilities/A.cs", "", "'Utilities' is no room of the samples")]
    [DataRow("Commands/A.cs", "using Samples.Jobs;", null)]
    [DataRow("SamplesApp.cs", "using Samples.Commands;", null)]
    public void A_forbidden_arrow_of_the_samples_is_seen(string path, string code, string? fault) =>
        Assert.AreEqual(fault is null ? "" : $"src/Samples/{path}: {fault}", string.Join('\n', Rooms.SampleFaults(new SourceFile($"src/Samples/{path}", code))));

    [TestMethod]
    [DataRow("Models", "using MLNetExtension.Training;", "Models may not use Training")]
    [DataRow("Models", "using static MLNetExtension.Losses.LossSum;", "Models may not use Losses")]
    [DataRow("Losses", "using Flat = MLNetExtension.Training.Accumulation.FlatParameters;", "Losses may not use Training")]
    [DataRow("Training", "class A { object o = new Generation.TextGenerator(); }", "Training may not use Generation")]
    [DataRow("Training", "using MLNetExtension.MLNet.Trainer;", "Training may not use MLNet")]
    [DataRow("Data", "class A { IDataView rows; }", "IDataView has no place here")]
    [DataRow("Tokenization", "using static TorchSharp.torch;", "TorchSharp has no place here")]
    public void A_forbidden_arrow_is_seen(string room, string code, string fault) =>
        Assert.AreEqual($"src/MLNetExtension/{room}/A.cs: {fault}", Faults($"{room}/A.cs", $"{code}\nnamespace MLNetExtension.{room};"));

    [TestMethod]
    [DataRow("Training/A.cs", "using MLNetExtension.Models;\nnamespace MLNetExtension.Training;")]
    [DataRow("MLNet/Schema/A.cs", "using MLNetExtension.Tokenization;\nnamespace MLNetExtension.MLNet.Schema; class A { IDataView rows; }")]
    [DataRow("MLNet/A.cs", "namespace Microsoft.ML; class A { MLContext context; }")]
    [DataRow("Models/A.cs", "namespace MLNetExtension.Models; // see MLNetExtension.Training\nclass A { string s = \"MLNetExtension.Training\"; }")]
    public void An_allowed_arrow_passes(string path, string code) => Assert.AreEqual("", Faults(path, code));

    [TestMethod]
    public void Layers_do_not_use_what_is_built_from_them()
    {
        IEnumerable<string> others = SourceTree.Files("src/MLNetExtension/Models/Layers", ".cs").Where(file => Regex.IsMatch(SourceTree.Code(file.Text), @"Models\.(Lora|Gpt2|Llama|Custom)\b")).Select(file => file.Path);
        Assert.AreEqual("", string.Join(", ", others));
    }

    [TestMethod]
    public void What_lies_at_the_root_uses_no_room()
    {
        Assert.AreEqual("", Faults("A.cs", "namespace MLNetExtension; class A { }"));
        Assert.AreEqual("src/MLNetExtension/A.cs:  may not use Files", Faults("A.cs", "using MLNetExtension.Files;\nnamespace MLNetExtension;"));
    }

    [TestMethod]
    public void A_namespace_that_is_not_its_folder_is_seen() =>
        Assert.AreEqual(
            "src/MLNetExtension/Models/Llama/A.cs: its namespace is MLNetExtension.Models, its folder says MLNetExtension.Models.Llama",
            Faults("Models/Llama/A.cs", "namespace MLNetExtension.Models;"));

    [TestMethod]
    public void A_folder_that_is_no_room_is_seen() =>
        Assert.AreEqual("src/MLNetExtension/Utilities/A.cs: 'Utilities' is no room of the library", Faults("Utilities/A.cs", "namespace MLNetExtension.Utilities;"));

    private static string Faults(string path, string code) => string.Join('\n', Rooms.Faults(new SourceFile($"src/MLNetExtension/{path}", code)));
}
