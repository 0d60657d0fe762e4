using Microsoft.ML;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET's own trainers refuse columns with these exceptions in these words: <see cref="MLNetExtension.MLNet.Schema.InputSchema"/> speaks as they do, so that one way of catching them does for a whole pipeline.
/// </summary>
[TestClass]
public sealed class SchemaMessageBehaviorTests
{
    [TestMethod]
    [DataRow("Nowhere", "Could not find feature column 'Nowhere'")]
    [DataRow("Number", "Schema mismatch for feature column 'Number': expected Vector<Single>, got Single")]
    [DataRow("Ids", "Schema mismatch for feature column 'Ids': expected Vector<Single>, got VarVector<Int32>")]
    [DataRow("Text", "Schema mismatch for feature column 'Text': expected Vector<Single>, got String")]
    public void A_trainer_names_role_column_and_types(string column, string message)
    {
        var mlContext = new MLContext(seed: 1);
        IDataView data = mlContext.Data.LoadFromEnumerable([new Row()]);
        var trainer = mlContext.Regression.Trainers.Sdca("Number", column);

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainer.Fit(data));

        Assert.StartsWith(message, error.Message);
        Assert.AreEqual("inputSchema", error.ParamName);
    }

    private sealed class Row
    {
        public float Number { get; set; }

        public int[] Ids { get; set; } = [];

        public string Text { get; set; } = "";
    }
}
