namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class HelpTests
{
    [TestMethod]
    public void Help_lists_the_commands_with_what_each_is_for()
    {
        (int exitCode, string output, _) = CommandLine.Run("--help");
        Assert.AreEqual(0, exitCode);
        foreach (string command in (string[])["train", "finetune", "evaluate", "generate", "compare-accumulation"])
            Assert.IsTrue(output.Split('\n').Any(line => line.TrimStart().StartsWith(command + " ") && line.TrimEnd().EndsWith('.')), $"{command} has a sentence");
    }

    [TestMethod]
    [DataRow("train")]
    [DataRow("finetune")]
    [DataRow("evaluate")]
    [DataRow("generate")]
    [DataRow("compare-accumulation")]
    public void Every_command_takes_a_file_for_its_report(string command) => StringAssert.Contains(CommandLine.Run(command, "--help").Output, "--json <FILE>");

    [TestMethod]
    public void An_unknown_command_gets_one_line()
    {
        (int exitCode, _, string error) = CommandLine.Run("trane");
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "trane");
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }
}
