namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class HelpTests
{
    [TestMethod]
    public void Help_lists_the_commands_with_what_each_is_for()
    {
        (int exitCode, string output, _) = CommandLine.Run("--help");
        Assert.AreEqual(0, exitCode);
        foreach (string command in (string[])["train", "finetune", "prefer", "evaluate", "generate", "export", "serve", "compare-accumulation"])
            Assert.IsTrue(output.Split('\n').Any(line => line.TrimStart().StartsWith(command + " ") && line.TrimEnd().EndsWith('.')), $"{command} has a sentence");
    }

    [TestMethod]
    [DataRow("train")]
    [DataRow("finetune")]
    [DataRow("prefer")]
    [DataRow("evaluate")]
    [DataRow("generate")]
    [DataRow("export")]
    [DataRow("serve")]
    [DataRow("compare-accumulation")]
    public void Every_command_takes_a_file_for_its_report(string command) => StringAssert.Contains(CommandLine.Run(command, "--help").Output, "--json <FILE>");

    [TestMethod]
    [DataRow("train", "Default: 3e-3")]
    [DataRow("finetune", "Default: 5e-5, with --rank 2e-4")]
    public void Help_tells_the_options_of_a_training_and_its_defaults(string command, string learningRate)
    {
        string help = CommandLine.Run(command, "--help").Output;
        foreach (string option in (string[])["--epochs <N>", "--learning-rate <X>", learningRate, "--weight-decay <X>", "--validation-fraction <X>", "--patience <N>", "--validation-interval <N|Xepochs>", "[default: 100 steps]", "[default: 500 steps]", "--checkpoints-kept <N>", "--restart-if-damaged", "--batch-tokens <N>", "--prompt-weight <X>", "--order-by <NAME>", "--order-epochs <N>", "--long-rows <Truncate|Split>", "--neftune <X>", "--ema <X>", "--swa <X>", "--dropout <X>"])
            Assert.Contains(option, help);
    }

    [TestMethod]
    public void An_unknown_command_gets_one_line()
    {
        (int exitCode, _, string error) = CommandLine.Run("trane");
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "trane");
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }
}
