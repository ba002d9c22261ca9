// Answers queries with ClickHouse: a JSON array of SQL on standard input, an
// array of arrays of rows on standard output.
"use strict";

const { Query } = require("@chdb/lib-linux-x64-gnu");

const settings = [
  "session_timezone = 'UTC'",
  "date_time_output_format = 'iso'",
  "output_format_json_quote_64bit_integers = 0",
  "schema_inference_mode = 'union'",
].join(", ");

let input = "";
process.stdin.on("data", (chunk) => { input += chunk; });
process.stdin.on("end", () => {
  const answers = JSON.parse(input).map((sql) => {
    try {
      const lines = Query(`${sql} settings ${settings}`, "JSONEachRow").split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
    } catch (error) {
      throw new Error(`${sql}\n${error.message}`);
    }
  });
  process.stdout.write(JSON.stringify(answers));
});
