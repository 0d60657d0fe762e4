using MLNetExtension.Generation;

namespace MLNetExtension.Tests.Generation;

[TestClass]
public sealed class GenerationOptionsTests
{
    [TestMethod]
    public void The_defaults_and_the_limits_are_allowed()
    {
        new GenerationOptions().Validate();
        new GenerationOptions { MaximumNewTokens = 1, Temperature = 0, TopK = 1, TopP = 1, Seed = -1 }.Validate();
        new GenerationOptions { TopP = double.Epsilon, MinP = 1, RepetitionPenalty = 0.5, StopStrings = ["a", "b"] }.Validate();
    }

    [TestMethod]
    public void What_is_not_allowed_is_refused_by_name_with_value_and_limits()
    {
        AssertRefused(new() { MaximumNewTokens = 0 }, "MaximumNewTokens is 0; allowed is at least 1.");
        AssertRefused(new() { Temperature = -0.5 }, "Temperature is -0.5; allowed is from 0 to 1E+30.");
        AssertRefused(new() { Temperature = double.NaN }, "Temperature is NaN; allowed is from 0 to 1E+30.");
        AssertRefused(new() { Temperature = double.PositiveInfinity }, "Temperature is Infinity; allowed is from 0 to 1E+30.");
        AssertRefused(new() { TopK = 0 }, "TopK is 0; allowed is null, or at least 1.");
        AssertRefused(new() { TopP = 0 }, "TopP is 0; allowed is above 0 and at most 1.");
        AssertRefused(new() { TopP = 1.5 }, "TopP is 1.5; allowed is above 0 and at most 1.");
        AssertRefused(new() { TopP = double.NaN }, "TopP is NaN; allowed is above 0 and at most 1.");
        AssertRefused(new() { MinP = -0.1 }, "MinP is -0.1; allowed is from 0 to 1.");
        AssertRefused(new() { MinP = double.NaN }, "MinP is NaN; allowed is from 0 to 1.");
        AssertRefused(new() { RepetitionPenalty = 0 }, "RepetitionPenalty is 0; allowed is from 1.18E-38 to 1E+30.");
        AssertRefused(new() { RepetitionPenalty = double.NaN }, "RepetitionPenalty is NaN; allowed is from 1.18E-38 to 1E+30.");
        AssertRefused(new() { StopStrings = ["a", ""] }, "StopStrings[1] is ''; allowed is a string that is not empty.");
        AssertRefused(new() { StopStrings = null! }, "StopStrings is null; allowed is a list of strings.");
    }

    private static void AssertRefused(GenerationOptions options, string message)
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => options.Validate());
        Assert.StartsWith(message, error.Message);
    }
}
