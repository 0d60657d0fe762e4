using System.Xml.Linq;
using MLNetExtension.Tests.Documentation;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Samples;

/// <summary>The samples in Model Builder's layout, as a user has them who copied a folder into a project: its files and a program that calls them.</summary>
[TestClass]
public sealed class ModelBuilderSampleTests
{
    private const string ApiDocsProgram = """
        using Samples;
        (string model, string data) = (args[0], args[1]);
        ApiDocs.Train(model, data, maximumSteps: 2);
        ApiDocs.MLNetModelPath = model;
        Console.WriteLine($"Evaluated: {ApiDocs.Evaluate(model, data)}");
        Console.WriteLine($"Predicted: {ApiDocs.Predict(new ApiDocs.ModelInput { Prompt = "M:System.String.Trim" }).GeneratedText}");
        """;

    private const string SupportRepliesProgram = """
        using Samples;
        (string model, string data) = (args[0], args[1]);
        SupportReplies.Train(model, data, maximumSteps: 2);
        SupportReplies.MLNetModelPath = model;
        Console.WriteLine($"Evaluated: {SupportReplies.Evaluate(model, data)}");
        Console.WriteLine($"Predicted: {SupportReplies.Predict(new SupportReplies.ModelInput { Prompt = "Where is my order?" }).GeneratedText}");
        """;

    // Seen to fail with: a type of another folder of the samples used in a file of this one.
    [TestMethod]
    public void ApiDocs_stands_alone_and_trains_evaluates_and_predicts()
    {
        using var folder = new TemporaryFolder();
        IEnumerable<string> members = Enumerable.Range(0, 40).Select(i => $"""<member name="M:N.T.M{i}"><summary>Gives  member {i} of a <see cref="T:N.T"/>.</summary></member>""");
        string data = folder.Write("docs.xml", $"<doc><members>{string.Concat(members)}<member name='M:N.T.None'/></members></doc>");
        Assert.Contains("Evaluated: loss", Run("ApiDocs", ApiDocsProgram, folder["ApiDocs.mlnet"], data));
    }

    [TestMethod]
    public void SupportReplies_stands_alone_and_trains_evaluates_and_predicts()
    {
        using var folder = new TemporaryFolder();
        string data = Path.Combine(SourceTree.Root, "src/Samples/SupportReplies/SupportReplies.tsv");
        Assert.Contains("Evaluated: loss", Run("SupportReplies", SupportRepliesProgram, folder["SupportReplies.mlnet"], data));
    }

    [TestMethod]
    [DataRow("ApiDocs")]
    [DataRow("SupportReplies")]
    public void A_sample_has_the_files_of_the_layout_and_nests_them(string name)
    {
        foreach (string file in (string[])[$"{name}.mbconfig", $"{name}.consumption.cs", $"{name}.training.cs", $"{name}.evaluate.cs"])
            Assert.IsTrue(File.Exists(Path.Combine(SourceTree.Root, "src/Samples", name, file)), file);
        XDocument project = XDocument.Load(Path.Combine(SourceTree.Root, "src/Samples/Samples.csproj"));
        Assert.IsTrue(project.Descendants("Compile").Any(item => item.Attribute("Update")?.Value == $"{name}/{name}.*.cs" && item.Attribute("DependentUpon")?.Value == $"{name}.mbconfig"));
    }

    // The rows are for people to read and to train on: no question twice, no field empty.
    [TestMethod]
    public void The_rows_of_SupportReplies_are_pairs_and_differ()
    {
        string[][] rows = [.. File.ReadLines(Path.Combine(SourceTree.Root, "src/Samples/SupportReplies/SupportReplies.tsv")).Skip(1).Select(line => line.Split('\t'))];
        Assert.IsInRange(60, 100, rows.Length);
        Assert.IsTrue(rows.All(row => row.Length == 2 && row.All(field => field.Trim().Length > 0)));
        Assert.HasCount(rows.Length, rows.Select(row => row[0]).Distinct());
    }

    private static string Run(string sample, string program, params string[] args)
    {
        IEnumerable<string> files = SourceTree.Files($"src/Samples/{sample}", ".cs").Select(file => file.Text);
        string output = ProgramRun.Run(ProgramCompiler.Compile(sample, files.Prepend(program)), args);
        Assert.Contains("Predicted: ", output);
        return output;
    }
}
