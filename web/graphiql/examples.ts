/** What GraphiQL opens with: one tab for each. `1` is the first server, and the first job. */
export const EXAMPLES = [
  {
    query: `# Every server, and the job that ran on it last.
query Servers {
  servers(first: 20) {
    nodes {
      id name host tags
      lastJob { number recipeName status }
    }
    totalCount
  }
}
`,
  },
  {
    query: `# Start a job. If something stands in userErrors,
# it was refused, and nothing has happened.
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) {
    job { id number status }
    userErrors { code message field }
  }
}
`,
    variables: '{\n  "input": { "recipe": "demo", "serverIds": ["1"] }\n}\n',
  },
  {
    query: `# The log of a job, past and live in one stream.
subscription Log($jobId: ID!, $after: String) {
  jobLog(jobId: $jobId, after: $after) {
    after cursor firstLine text end
  }
}
`,
    variables: '{\n  "jobId": "1"\n}\n',
  },
  {
    query: `# Each job whose state, progress or hosts change.
subscription Updates {
  jobUpdated {
    id number recipeName status progress message
  }
}
`,
  },
  {
    query: `# A job with its servers, and what happened on them.
query Job($id: ID!) {
  job(id: $id) {
    number status failureReason message duration
    hosts {
      serverName currentTask
      ok changed failed skipped unreachable
    }
    events(first: 50) {
      nodes {
        __typename seq at
        ... on TaskStartedEvent { task action logLine }
        ... on HostTaskEvent {
          host task outcome: status duration logLine
        }
      }
    }
  }
}
`,
    variables: '{\n  "id": "1"\n}\n',
  },
];
