using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Text;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET's <c>NormalizeText</c>, told to keep everything, changes no character: the pipeline of the sample's <c>TrainJob</c> trains on and counts the bytes of its result.
/// </summary>
[TestClass]
public sealed class NormalizeTextBehaviorTests
{
    [TestMethod]
    [DataRow("  Two\n\tlines,\r\n and a tail. \n")]
    [DataRow("İstanbul ẞ Ệ e\u0301 \u00A0\u200B 𝐀 😀")]
    [DataRow("\uFEFF\0\uD800b")]
    [DataRow("")]
    public void A_text_of_which_everything_is_kept_stays_as_it_is(string text)
    {
        var mlContext = new MLContext(seed: 1);
        IDataView view = mlContext.Data.LoadFromEnumerable([new OneText { Text = text }]);
        TextNormalizingEstimator estimator = mlContext.Transforms.Text.NormalizeText(
            "Text", caseMode: TextNormalizingEstimator.CaseMode.None, keepDiacritics: true, keepPunctuations: true, keepNumbers: true);

        Assert.AreEqual(text, estimator.Fit(view).Transform(view).GetColumn<string>("Text").Single());
    }

    private sealed class OneText
    {
        public string Text { get; set; } = "";
    }
}
