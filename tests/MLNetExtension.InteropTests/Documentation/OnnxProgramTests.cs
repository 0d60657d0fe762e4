using MLNetExtension.Tests.Documentation;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.InteropTests.Documentation;

/// <summary>The program of the page on exporting, compiled and run as it stands; the arguments alone make it short.</summary>
[TestClass]
public sealed class OnnxProgramTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void The_program_exports_a_model_and_uses_it_in_GenAI_and_in_a_pipeline()
    {
        using TemporaryFolder folder = new();
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 40).Select(i => $"Line {i} of a text{new string('.', i % 7)}\n")));
        string program = MarkdownPage.Of("docs/export.md").InteropPrograms.Single(code => code.Contains("SaveAsOnnx", StringComparison.Ordinal));

        string output = ProgramRun.Run(ProgramCompiler.Compile("docs/export.md", program), text, folder["exported"], "30");

        TestContext.WriteLine(output);
        StringAssert.Contains(output, "GenAI writes: A prompt ");
        StringAssert.Contains(output, "Likeliest after the prompt: byte ");
        Assert.IsTrue(File.Exists(folder["exported/model.onnx"]));
    }
}
